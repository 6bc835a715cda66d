import { describe, expect, it } from 'vitest';
import { mysql } from '../../../../../adapters/databases/mysql/index.js';
import { postgresql } from '../../../../../adapters/databases/postgresql/index.js';
import { javaHashCode, toolLock } from '../../../../../adapters/histories/flyway/lock.js';

describe("Flyway's advisory lock", () => {
  it.each([
    ['"public"."flyway_schema_history"', 2125624436],
    ['"app"."flyway_schema_history"', -271308480],
    ['', 0],
  ])('hashes %s like Java', (text, expected) => {
    expect(javaHashCode(text)).toBe(expected);
  });

  it.each([
    ['public', '77433833903597'],
    ['app', '77431436970681'],
  ])('has the key that Flyway uses for the schema %s', (schema, key) => {
    expect(toolLock(postgresql, { schema, name: 'flyway_schema_history' })).toMatchObject({
      kind: 'advisory',
      keys: [key],
    });
  });

  it.each([
    ['app', 'Flyway--320650056'],
    ['shop', 'Flyway--1695041341'],
  ])('on MySQL has the name that Flyway uses in the database %s', (schema, name) => {
    const lock = toolLock(mysql, { schema, name: 'flyway_schema_history' });
    expect(lock).toMatchObject({ kind: 'named', keys: [name] });
    const asks = new RegExp(lock.approach?.asks ?? '');
    expect(asks.test(`SELECT GET_LOCK('${name}',10)`)).toBe(true);
    expect(asks.test(`SELECT GET_LOCK('${name}1',10)`)).toBe(false);
  });

  it('doubles quotes inside names, and tells names apart by case', () => {
    const key = (schema: string): string | undefined => toolLock(postgresql, { schema, name: 't' }).keys[0];
    expect(key('a"b')).toBe(String(77431708279161n + BigInt(javaHashCode('"a""b"."t"'))));
    expect(key('App')).not.toBe(key('app'));
  });
});

import { describe, expect, test } from 'vitest';
import { codes, errors, readScript } from './read-script.js';

describe('directives', () => {
  test('are read wherever a comment can stand', () => {
    const script = readScript(`-- flyback: triggers disable
--flyback: RISK High
/* flyback: allow-loss orders.note, orders.tag */
/*
 * Words for people.
 * flyback: approval CHG-1234, by the duty DBA: see mail
 */
DROP TABLE a; -- flyback: allow-loss a
DROP TABLE b -- flyback: migration-checksum -1234
-- flyback: leaves kept, app.copy
 ;
`);
    expect(codes(script)).toEqual([]);
    expect(script.directives).toEqual({
      triggers: 'disable',
      risk: 'high',
      allowLoss: ['orders.note', 'orders.tag', 'a'],
      leaves: ['kept', 'app.copy'],
      approval: 'CHG-1234, by the duty DBA: see mail',
      stub: false,
      migrationChecksum: -1234,
    });
  });

  test('are not read in strings and code', () => {
    expect(readScript("INSERT INTO a VALUES ('-- flyback: stub', $$\n-- flyback: stub\n$$);").directives.stub).toBe(
      false,
    );
  });

  test('mark a stub, which is an error until the line is gone', () => {
    const script = readScript('-- flyback: stub - remove this line when done\nDROP TABLE a;');
    expect(script.directives.stub).toBe(true);
    expect(errors(script)).toEqual(['script-stub 1']);
  });

  test.each([
    ['-- flyback: trigers keep', 'directive-unknown 1', /triggers/],
    ['-- flyback: alow-loss a', 'directive-unknown 1', /allow-loss/],
    ['-- flyback: verfy', 'directive-unknown 1', /verify/],
    ['-- flyback: banana', 'directive-unknown 1', /Known: transaction, /],
    ['-- flyback:', 'directive-unknown 1', /Known/],
    ['-- flybak: stub', 'directive-unknown 1', /flyback: stub/],
    ['-- flyback stub', 'directive-unknown 1', /flyback: stub/],
    ['-- fly-back', undefined, undefined],
    ['-- flyback is a tool', undefined, undefined],
    ['-- playback risk', undefined, undefined],
  ])('that are misspelt are errors with the nearest word: %s', (comment, code, hint) => {
    const script = readScript(`${comment}\nDROP TABLE a;`);
    expect(errors(script)).toEqual(code === undefined ? [] : [code]);
    if (hint !== undefined) expect(script.findings[0]?.hint).toMatch(hint);
  });

  test.each([
    'transaction maybe',
    'transaction',
    'triggers off',
    'risk scary',
    'allow-loss',
    'allow-loss a,,b',
    'approval',
    'migration-checksum x',
    'migration-checksum 2147483648',
    'migration-checksum 1.5',
  ])('with a value that they do not take are errors: %s', (words) => {
    expect(errors(readScript(`DROP TABLE a;\n-- flyback: ${words}`))).toEqual(['directive-invalid 2']);
  });

  test('given twice are errors', () => {
    expect(errors(readScript('-- flyback: risk low\n-- flyback: risk high\nDROP TABLE a;'))).toEqual([
      'directive-repeated 2',
    ]);
  });
});

import { describe, expect, test } from 'vitest';
import type { Catalog } from '../../../src/proof/catalog.js';
import { writtenTables } from '../../../src/proof/written-tables.js';

const names = ['public.orders', 'public."Order lines"', 'shop."say ""hi"""', 'naïve', 'public."user"'];
const catalog: Catalog = {
  objects: [
    ...names.map((name) => ({ kind: 'table', name, properties: {} })),
    { kind: 'view', name: 'public.seen', properties: {} },
  ],
};

describe('tables that statements may write to', () => {
  test.each([
    ['an update', 'UPDATE orders SET a = 1', ['public.orders']],
    ['an update of another case', 'update Public.ORDERS set a = 1', ['public.orders']],
    ['a deletion by what another table holds', 'DELETE FROM orders USING "user"', ['public.orders', 'public."user"']],
    ['a quoted name', 'TRUNCATE "Order lines"', ['public."Order lines"']],
    ['a name with quotes', 'insert into shop."say ""hi""" values (1)', ['shop."say ""hi"""']],
    ['letters outside ASCII', 'LOAD DATA INFILE $$x$$ INTO TABLE naïve', ['naïve']],
    ['the body of a block', 'DO $$ BEGIN UPDATE orders SET a = 1; END $$', ['public.orders']],
    ['a statement with a query in front', 'WITH x AS (SELECT 1) DELETE FROM orders', ['public.orders']],
    ['a query', 'SELECT * FROM orders FOR UPDATE', []],
    ['a change of the table', 'ALTER TABLE orders ADD b int', []],
    ['what a key does', 'CREATE TABLE t (o int REFERENCES orders ON DELETE CASCADE ON UPDATE SET NULL)', []],
    ['when a trigger fires', 'CREATE TRIGGER t AFTER INSERT OR DELETE ON orders EXECUTE FUNCTION f()', []],
    ['a definition that takes the place of another', 'CREATE OR REPLACE VIEW v AS SELECT * FROM orders', []],
    ['part of a longer name', 'UPDATE orders_old SET a = 1', []],
    ['a view', 'UPDATE seen SET a = 1', []],
  ])('%s', (_, statement, found) => {
    expect(writtenTables([statement], catalog)).toEqual(found);
  });
});

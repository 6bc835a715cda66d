import { expect, it } from 'vitest';
import { parseGrants } from '../../../../../adapters/databases/mysql/privileges.js';

it('reads what an account has on a server, a schema and a table', () => {
  const found = parseGrants([
    "GRANT PROCESS, CONNECTION ADMIN ON *.* TO `app`@`%` IDENTIFIED BY PASSWORD '*ABC'",
    'GRANT SELECT, INSERT (`on`, `b`), CREATE TEMPORARY TABLES ON `shop\\_%`.* TO `app`@`%` WITH GRANT OPTION',
    'GRANT ALL PRIVILEGES ON `other`.`Orders` TO `app`@`%`',
    'GRANT EXECUTE ON PROCEDURE `shop`.`p` TO `app`@`%`',
  ]);
  expect(found.isComplete).toBe(true);
  expect(found.hasEverywhere('SUPER', 'CONNECTION ADMIN')).toBe(true);
  expect(found.hasEverywhere('SUPER', 'SELECT')).toBe(false);
  expect(found.has('SELECT', 'shop_1')).toBe(true);
  expect(found.has('CREATE TEMPORARY TABLES', 'shop_', 't')).toBe(true);
  expect(found.has('GRANT OPTION', 'shop_1')).toBe(true);
  expect(found.has('SELECT', 'shopx1')).toBe(false);
  expect(found.has('SELECT', 'shop')).toBe(false);
  expect(found.has('DELETE', 'shop_1')).toBe(false);
  expect(found.has('DROP', 'other', 'orders')).toBe(true);
  expect(found.has('DROP', 'other')).toBe(false);
  expect(found.has('GRANT OPTION', 'other', 'orders')).toBe(false);
  expect(found.has('EXECUTE', 'shop')).toBe(false);
});

it('takes away what MySQL revokes for one schema, and tells when there are roles', () => {
  const found = parseGrants([
    'GRANT SELECT, INSERT ON *.* TO `app`@`%`',
    'REVOKE INSERT ON `mysql`.* FROM `app`@`%`',
    'GRANT `reader`@`%` TO `app`@`%`',
  ]);
  expect(found.has('INSERT', 'shop')).toBe(true);
  expect(found.has('INSERT', 'mysql')).toBe(false);
  expect(found.has('SELECT', 'mysql')).toBe(true);
  expect(found.isComplete).toBe(false);
  expect(
    parseGrants(['GRANT ALL PRIVILEGES ON *.* TO "root"@"localhost" WITH GRANT OPTION']).has('DROP', 'a', 'b'),
  ).toBe(true);
});

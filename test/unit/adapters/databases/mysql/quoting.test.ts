import { expect, it } from 'vitest';
import { quoteIdentifier, quoteLiteral } from '../../../../../adapters/databases/mysql/quoting.js';

it('quotes names with backticks, literals so that no mode changes them', () => {
  expect(quoteIdentifier('a`b"c')).toBe('`a``b"c`');
  expect(quoteLiteral("it's é😀")).toBe("'it''s é😀'");
  expect(quoteLiteral("a\\'")).toBe("_utf8mb4 X'615c27'");
  expect(quoteLiteral('\0')).toBe("_utf8mb4 X'00'");
});

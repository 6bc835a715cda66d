import type { ChangeType, DataLoss, ObjectRef, StatementImpact } from '../../../../src/risk/change.js';
import { isKeyword } from './identifiers.js';

const kinds: Readonly<Record<string, readonly [ChangeType, DataLoss]>> = {
  table: ['drop-table', 'yes'],
  index: ['drop-index', 'no'],
  view: ['drop-object', 'no'],
};

/** One object, its name plain or with a plain schema, nothing else. */
const shape =
  /^DROP\s+(TABLE|INDEX|VIEW)\s+(?:IF\s+EXISTS\s+)?(?:([a-z_]\w*)\.)?([a-z_]\w*)(\s+CASCADE|\s+RESTRICT)?$/i;

/**
 * What DROP TABLE, INDEX or VIEW of one plainly named object does, without the parser; undefined for every statement of
 * another shape. Rollbacks often hold nothing else, and loading the parser takes a third of such a rollback's time. A
 * test holds this to the parser's own answers.
 */
export function plainDrop(statement: string): StatementImpact | undefined {
  const match = shape.exec(statement);
  if (match === null || statement.length > 200) return undefined;
  const [, word = '', schemaText, nameText = '', ending] = match;
  const kind = word.toLowerCase();
  const schema = schemaText?.toLowerCase();
  const name = nameText.toLowerCase();
  // Keywords have rules of their own where a name stands, and longer names are cut by the server.
  if (isKeyword(name) || (schema !== undefined && isKeyword(schema)) || name.length > 63) return undefined;
  const [change, dataLoss] = kinds[kind] ?? ['other', 'no'];
  const ref: ObjectRef = schema === undefined ? { kind, name } : { kind, schema, name };
  return {
    changes: [change],
    objects: [ref],
    drops: [ref],
    cascade: ending?.trim().toUpperCase() === 'CASCADE',
    writes: [],
    locks: [{ level: 'ACCESS EXCLUSIVE', on: ref }],
    work: 'none',
    dataLoss,
    notTransactional: undefined,
    transactionControl: false,
  };
}

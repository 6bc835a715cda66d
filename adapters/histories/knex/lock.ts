import type { DatabaseAdapter, ToolLock } from '../../../src/adapter/database.js';
import type { QualifiedName } from '../../../src/history/history.js';
import { ownLock } from '../own-lock.js';

/** Neither free (0) nor Knex's own mark (1): whoever finds it knows that flyback left it. */
export const flybackMark = 7355;

/**
 * Knex locks by a row: is_locked in a table of its own, set from 0 to 1 by whoever migrates (Migrator.js of 3.3); any other
 * value than 0 makes it give up at once. The key is flyback's own: it keeps two flybacks apart, and tells a flag that a living
 * one holds from one that was left behind.
 */
export function toolLock(database: DatabaseAdapter, table: QualifiedName): ToolLock {
  const lockName = `${table.name}_lock`;
  const lockTable = pattern(lockName);
  return {
    ...ownLock(database, `flyback knex ${JSON.stringify([table.schema, table.name])}`),
    flag: {
      table: { schema: table.schema, name: lockName },
      column: 'is_locked',
      free: 0,
      own: flybackMark,
      unlock: 'knex migrate:unlock',
      restore: 'knex migrate:list',
    },
    approach:
      database.name === 'mysql'
        ? // Its statements are over at once, and nothing tells of them afterwards.
          undefined
        : {
            asks: `^update ${lockTable} set "is_locked" = `,
            own: [`^select "name" from ${pattern(table.name)} order by "id" asc$`, `^select \\* from ${lockTable}$`],
            common: ['^BEGIN;?$'],
            // Its command line connects anew; a service that looks at its migrations now and then keeps its connections.
            newerThanSeconds: 60,
          },
  };
}

/** A table as Knex writes it, with its schema or without. */
function pattern(name: string): string {
  const quoted = `"${name.replaceAll('"', '""')}"`.replaceAll(/[\\^$.|?*+()[\]{}]/g, String.raw`\$&`);
  return `(?:"[^"]+"\\.)?${quoted}`;
}

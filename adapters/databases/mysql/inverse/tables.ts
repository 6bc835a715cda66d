import type { ObjectRef } from '../../../../src/risk/change.js';
import { type AlterItem, readAlterItems } from '../classify/alter-items.js';
import type { Cursor } from '../classify/cursor.js';
import { readKey } from '../classify/definitions.js';
import { quoteIdentifier } from '../quoting.js';
import { advice, nameText } from './words.js';

type Hints = readonly string[];

const onlyIfMade = (verb: string): string => advice(`IF NOT EXISTS: drop it only if this migration really ${verb} it.`);

/** CREATE TABLE, behind the word TABLE. */
export function dropCreatedTable(cursor: Cursor, replaces: boolean, isTemporary: boolean): Hints {
  const mayExist = cursor.take('if', 'not', 'exists');
  const drop = `DROP ${isTemporary ? 'TEMPORARY ' : ''}TABLE ${nameText(cursor.takeRef('table'))};`;
  if (replaces) {
    return [advice('OR REPLACE: a table of that name is gone, with its rows; only a backup has it.'), drop];
  }
  return mayExist ? [onlyIfMade('created'), drop] : [drop];
}

/** DROP TABLE, behind the word TABLE. */
export function recreateTables(cursor: Cursor): Hints {
  cursor.take('if', 'exists');
  const hints: string[] = [];
  do {
    const table = nameText(cursor.takeRef('table'));
    hints.unshift(advice(`CREATE TABLE ${table} … (previous definition); its rows come only from a backup.`));
  } while (cursor.takeSign(','));
  return hints;
}

/** RENAME TABLE, behind the word TABLE: back in the other order, for one name may have made room for another. */
export function renameTablesBack(cursor: Cursor): Hints {
  cursor.take('if', 'exists');
  const pairs: string[] = [];
  do {
    const from = cursor.takeRef('table');
    cursor.takeBefore('to');
    cursor.take('to');
    pairs.unshift(`${nameText(cursor.takeRef('table'))} TO ${nameText(from)}`);
  } while (cursor.takeSign(','));
  return [`RENAME TABLE ${pairs.join(', ')};`];
}

/** CREATE INDEX, from its kind on. */
export function dropCreatedIndex(cursor: Cursor, replaces: boolean): Hints {
  const key = readKey(cursor);
  cursor.takeBefore('on');
  cursor.take('on');
  const table = nameText(cursor.takeRef('table'));
  const index = key !== undefined && 'index' in key ? key.index : undefined;
  const drop = `DROP INDEX ${quoteIdentifier(index?.name ?? '')} ON ${table};`;
  if (replaces) return [advice('OR REPLACE: if it existed before, put its previous definition back instead.'), drop];
  return index?.ifNotExists === true ? [onlyIfMade('created'), drop] : [drop];
}

/** DROP INDEX, behind its two words. */
export function recreateIndex(cursor: Cursor): Hints {
  cursor.take('if', 'exists');
  const name = quoteIdentifier(cursor.takeName() ?? '');
  const table = cursor.take('on') ? cursor.takeRef('table') : undefined;
  return [advice(`CREATE INDEX ${name} ON ${nameText(table)} (…) (previous definition);`)];
}

/** ALTER TABLE, from the word TABLE on. Items are taken back from the last to the first. */
export function alterTableBack(cursor: Cursor): Hints {
  cursor.take('table');
  cursor.take('if', 'exists');
  const table = cursor.takeRef('table');
  if (table === undefined) return [advice('Write here what takes this statement back.')];
  const items = readAlterItems(cursor);
  const renamed = items.flatMap((item) => (item.does === 'rename-table' ? [item.to] : [])).at(-1);
  const back = items.filter(({ does }) => does !== 'rename-table').toReversed();
  const first = renamed === undefined ? [] : [`RENAME TABLE ${nameText(renamed)} TO ${nameText(table)};`];
  return [...first, ...back.flatMap((item) => itemBack(item, table))];
}

function itemBack(item: AlterItem, table: ObjectRef): Hints {
  const alter = `ALTER TABLE ${nameText(table)}`;
  const column = (name: string): string => `${nameText(table)}.${quoteIdentifier(name)}`;
  switch (item.does) {
    case 'add-column': {
      const drop = `${alter} DROP COLUMN ${quoteIdentifier(item.column.name)};`;
      return item.ifNotExists ? [onlyIfMade('added'), drop] : [drop];
    }
    case 'add-index': {
      const { name, columns, ifNotExists } = item.index;
      const known = name ?? columns[0];
      const lines = ifNotExists ? [onlyIfMade('added')] : [];
      if (known === undefined) return [advice(`${alter} DROP INDEX … (its name: SHOW CREATE TABLE);`)];
      if (name === undefined) {
        lines.push(
          advice(
            'The name is the one that the server gives; a second index like it gets a number: see SHOW CREATE TABLE.',
          ),
        );
      }
      return [...lines, `${alter} DROP INDEX ${quoteIdentifier(known)};`];
    }
    case 'add-constraint':
      return constraintBack(item, alter);
    case 'drop':
      return [dropBack(item, alter)];
    case 'set-default':
      return item.isDropped
        ? [advice(`Put the previous default of ${column(item.column)} back; only you know it.`)]
        : [
            advice('If the column had a default before, SET that one instead.'),
            `${alter} ALTER COLUMN ${quoteIdentifier(item.column)} DROP DEFAULT;`,
          ];
    case 'redefine': {
      const { from, column: to } = item;
      const words =
        from === to.name
          ? `MODIFY COLUMN ${quoteIdentifier(from)}`
          : `CHANGE COLUMN ${quoteIdentifier(to.name)} ${quoteIdentifier(from)}`;
      return [
        advice(`${alter} ${words} … (the whole previous definition, from an earlier migration);`),
        advice('Values that the change has cut or converted come only from a backup.'),
      ];
    }
    case 'rename-member':
      return [
        `${alter} RENAME ${item.what.toUpperCase()} ${quoteIdentifier(item.to)} TO ${quoteIdentifier(item.from)};`,
      ];
    case 'switch':
      return [`${alter} ALTER ${item.what.toUpperCase()} ${quoteIdentifier(item.name)} ${item.back};`];
    case 'convert-charset':
      return [
        advice(`${alter} CONVERT TO CHARACTER SET … (the previous one; characters that it lacks are lost);`),
        advice('CONVERT may have made TEXT columns longer, and columns had character sets of their own: compare them.'),
      ];
    case 'partition':
      return partitionBack(item, alter);
    case 'partition-by':
      return [
        advice('If the table was partitioned before, PARTITION BY … as it was.'),
        `${alter} REMOVE PARTITIONING;`,
      ];
    case 'remove-partitioning':
      return [advice(`${alter} PARTITION BY … (as it was);`)];
    case 'option':
      return [advice(`${alter} ${item.option.toUpperCase()} = … (the previous value, from SHOW CREATE TABLE);`)];
    case 'keys':
      return [`${alter} ${item.isEnabled ? 'DISABLE' : 'ENABLE'} KEYS;`];
    case 'discard-tablespace':
      return [advice(`${alter} IMPORT TABLESPACE; (with the files of a backup)`)];
    case 'add-versioning':
      return [advice('The history of the rows goes with it.'), `${alter} DROP SYSTEM VERSIONING;`];
    case 'drop-versioning':
      return [`${alter} ADD SYSTEM VERSIONING;`, advice('The history of the rows comes only from a backup.')];
    case 'import-tablespace':
    case 'period':
    case 'unknown':
      return [advice('Write here what takes this change back.')];
    case 'rename-table':
    case 'order':
    case 'force':
    case 'nothing':
    case 'algorithm':
    case 'lock':
      return [];
  }
}

function constraintBack({ constraint }: Extract<AlterItem, { does: 'add-constraint' }>, alter: string): Hints {
  const { kind, name, columns } = constraint;
  if (kind === 'primary') {
    return [advice('The primary key made these columns NOT NULL, and they stay so.'), `${alter} DROP PRIMARY KEY;`];
  }
  if (name === undefined) {
    const words = kind === 'foreign' ? 'DROP FOREIGN KEY' : 'DROP CONSTRAINT';
    return [advice(`${alter} ${words} … (the name that the server gave: SHOW CREATE TABLE);`)];
  }
  if (kind === 'check') return [`${alter} DROP CONSTRAINT ${quoteIdentifier(name)};`];
  return [
    `${alter} DROP FOREIGN KEY ${quoteIdentifier(name)};`,
    advice(
      `If there was no index on (${columns.map(quoteIdentifier).join(', ')}) before, the server made one for the key, and it stays: DROP INDEX.`,
    ),
  ];
}

function dropBack({ what, name }: Extract<AlterItem, { does: 'drop' }>, alter: string): string {
  const quoted = quoteIdentifier(name);
  switch (what) {
    case 'column':
      return advice(
        `${alter} ADD COLUMN ${quoted} … (previous definition and place); its values come only from a backup.`,
      );
    case 'index':
      return advice(`${alter} ADD INDEX ${quoted} (…) (previous definition);`);
    case 'primary':
      return advice(`${alter} ADD PRIMARY KEY (…) (as it was);`);
    case 'foreign':
      return advice(
        `${alter} ADD CONSTRAINT ${quoted} FOREIGN KEY (…) REFERENCES … (as it was); fails while a row violates it.`,
      );
    case 'check':
      return advice(`${alter} ADD CONSTRAINT ${quoted} CHECK (…) (as it was); fails while a row violates it.`);
    case 'constraint':
      return advice(`${alter} ADD CONSTRAINT ${quoted} … (as it was); fails while a row violates it.`);
  }
}

function partitionBack(item: Extract<AlterItem, { does: 'partition' }>, alter: string): Hints {
  const names = item.names.map(quoteIdentifier).join(', ');
  switch (item.operation) {
    case 'add':
      return [
        advice(
          'Rows that arrived in it go with it: of RANGE and LIST; of HASH and KEY, COALESCE PARTITION keeps them.',
        ),
        advice(`${alter} DROP PARTITION … (the added ones);`),
      ];
    case 'drop':
      return [advice(`${alter} ADD PARTITION (PARTITION ${names} …) (its bounds); its rows come only from a backup.`)];
    case 'truncate':
    case 'discard':
      return [advice(`The rows of partition ${names} come only from a backup.`)];
    case 'coalesce':
      return [advice(`${alter} ADD PARTITION PARTITIONS … (as many as were merged);`)];
    case 'reorganize':
      return [advice(`${alter} REORGANIZE PARTITION … INTO (PARTITION ${names} …) (their previous bounds);`)];
    case 'exchange':
      return [`${alter} EXCHANGE PARTITION ${names} WITH TABLE ${nameText(item.other)};`];
    case 'to-table':
      return [advice(`${alter} CONVERT TABLE ${nameText(item.other)} TO PARTITION ${names} … (its bounds);`)];
    case 'from-table':
      return [`${alter} CONVERT PARTITION ${names} TO TABLE ${nameText(item.other)};`];
    case 'import':
      return [advice('Write here what takes this change back.')];
    case 'analyze':
    case 'check':
    case 'optimize':
    case 'rebuild':
    case 'repair':
      return [];
  }
}

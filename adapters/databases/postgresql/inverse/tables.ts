import type { AlterTableType } from 'libpg-query';
import type { ObjectRef } from '../../../../src/risk/change.js';
import { writeIdentifier } from '../classify/identifiers.js';
import { kindOf } from '../classify/object-kinds.js';
import { bodiesOf, bodyOf, rangeRef, textsOf } from '../classify/tree.js';
import type { Body, Handlers } from '../classify/tree.js';
import { generatedConstraintName, generatedIndexName } from './names.js';
import { advice, nameText, objectText } from './words.js';

type Hints = readonly string[];

function dropTable(body: Body<'CreateStmt'>, kind: string): Hints {
  const drop = `DROP ${objectText(rangeRef(body.relation, kind))};`;
  if (body.if_not_exists !== true) return [drop];
  return [advice('IF NOT EXISTS: drop it only if this migration really created it.'), drop];
}

function dropIndex(body: Body<'IndexStmt'>): Hints {
  const name = body.idxname ?? generatedIndexName(body);
  const index = nameText({ ...rangeRef(body.relation, 'index'), name });
  const lines: string[] = [];
  if (body.idxname === undefined) lines.push(advice('The name is the one that PostgreSQL gives; look it up with \\d.'));
  if (body.if_not_exists === true) {
    lines.push(advice('IF NOT EXISTS: drop it only if this migration really created it.'));
  }
  if (body.concurrent === true) {
    lines.push(advice('DROP INDEX CONCURRENTLY locks nobody out, but refuses to run inside a transaction.'));
  }
  return [...lines, `DROP INDEX ${index};`];
}

/** Everything a hint for one subcommand may need. */
interface CommandContext {
  /** "ALTER TABLE shop.orders" */
  readonly alter: string;
  readonly table: ObjectRef;
  readonly command: Body<'AlterTableCmd'>;
}

type CommandHint = (context: CommandContext) => Hints;

const columnText = ({ command }: CommandContext): string => writeIdentifier(command.name ?? '');

/** The reverse subcommand takes the same name and nothing else. */
const reverse =
  (words: string): CommandHint =>
  (context) => [`${context.alter} ${words}${context.command.name === undefined ? '' : ` ${columnText(context)}`};`];

const onColumn =
  (words: string): CommandHint =>
  (context) => [`${context.alter} ALTER COLUMN ${columnText(context)} ${words};`];

const onlyAPersonKnows =
  (what: (context: CommandContext) => string): CommandHint =>
  (context) => [advice(what(context))];

function dropColumn({ alter, table, command }: CommandContext): Hints {
  const column = writeIdentifier(bodyOf(command.def, 'ColumnDef')?.colname ?? '');
  const drop = `${alter} DROP ${table.kind === 'type' ? 'ATTRIBUTE' : 'COLUMN'} ${column};`;
  if (command.missing_ok !== true) return [drop];
  return [advice('IF NOT EXISTS: drop it only if this migration really added it.'), drop];
}

function dropConstraint({ alter, table, command }: CommandContext): Hints {
  const constraint = bodyOf(command.def, 'Constraint');
  if (constraint === undefined) return [];
  if (constraint.indexname !== undefined) {
    const name = writeIdentifier(constraint.conname ?? constraint.indexname);
    return [
      `${alter} DROP CONSTRAINT ${name};`,
      advice(`The index ${writeIdentifier(constraint.indexname)} goes with it: create it again if it is to stay.`),
    ];
  }
  const name = constraint.conname ?? generatedConstraintName(table.name, constraint);
  if (name === undefined) return [advice('The constraint has no name of its own: look it up with \\d.')];
  if (constraint.contype === 'CONSTR_NOTNULL') {
    const column = textsOf(constraint.keys)[0] ?? '';
    return [`${alter} ALTER COLUMN ${writeIdentifier(column)} DROP NOT NULL;`];
  }
  const lines =
    constraint.conname === undefined
      ? [advice('The name is the one that PostgreSQL gives; a second constraint like it gets a number: see \\d.')]
      : [];
  lines.push(`${alter} DROP CONSTRAINT ${writeIdentifier(name)};`);
  if (constraint.contype === 'CONSTR_PRIMARY') {
    lines.push(
      advice('The primary key made these columns NOT NULL, and they stay so: leave out those that were before.'),
    );
    for (const column of textsOf(constraint.keys)) {
      lines.push(`${alter} ALTER COLUMN ${writeIdentifier(column)} DROP NOT NULL;`);
    }
  }
  return lines;
}

function undoDefault(context: CommandContext): Hints {
  const column = columnText(context);
  if (context.command.def === undefined) {
    return [advice(`Put the previous default of ${nameText(context.table)}.${column} back; only you know it.`)];
  }
  return [
    advice('If the column had a default before, SET that one instead.'),
    `${context.alter} ALTER COLUMN ${column} DROP DEFAULT;`,
  ];
}

function undoParameters(words: string): CommandHint {
  return (context) => {
    const names = bodiesOf(bodyOf(context.command.def, 'List')?.items, 'DefElem').map((option) =>
      [option.defnamespace, option.defname].filter((part) => part !== undefined).join('.'),
    );
    return [
      advice('If a parameter had another value before, SET that one instead.'),
      `${context.alter} ${words}RESET (${names.join(', ')});`,
    ];
  };
}

function detach({ alter, command }: CommandContext): Hints {
  return [`${alter} DETACH PARTITION ${nameText(rangeRef(bodyOf(command.def, 'PartitionCmd')?.name))};`];
}

function attach({ alter, command }: CommandContext): Hints {
  const partition = nameText(rangeRef(bodyOf(command.def, 'PartitionCmd')?.name));
  return [advice(`${alter} ATTACH PARTITION ${partition} FOR VALUES … (only you know the bounds it had);`)];
}

const parentText = ({ command }: CommandContext): string => nameText(rangeRef(bodyOf(command.def, 'RangeVar')));

function typeOf(context: CommandContext): string {
  return `${nameText(context.table)}.${columnText(context)}`;
}

const commandHints: Partial<Record<AlterTableType, CommandHint>> = {
  AT_AddColumn: dropColumn,
  AT_DropColumn: onlyAPersonKnows(
    (context) =>
      `${context.alter} ADD COLUMN ${columnText(context)} … (previous definition); its values come only from a backup.`,
  ),
  AT_ColumnDefault: undoDefault,
  AT_SetNotNull: onColumn('DROP NOT NULL'),
  AT_DropNotNull: (context) => [
    advice('Fails while the column holds a NULL: give those rows a value first.'),
    `${context.alter} ALTER COLUMN ${columnText(context)} SET NOT NULL;`,
  ],
  AT_SetExpression: onlyAPersonKnows((context) => `SET EXPRESSION of ${typeOf(context)} to what it was before.`),
  AT_DropExpression: onlyAPersonKnows(
    (context) => `${typeOf(context)} was a generated column: drop it and add it with its expression.`,
  ),
  AT_AddIdentity: onColumn('DROP IDENTITY'),
  AT_SetIdentity: onlyAPersonKnows((context) => `Put the previous identity options of ${typeOf(context)} back.`),
  AT_DropIdentity: onlyAPersonKnows(
    (context) => `${typeOf(context)}: ADD GENERATED … AS IDENTITY with its options, restarted after the highest value.`,
  ),
  AT_SetStatistics: (context) => [
    advice('If a target had been set before, SET that one instead.'),
    `${context.alter} ALTER COLUMN ${columnText(context)} SET STATISTICS -1;`,
  ],
  AT_SetOptions: (context) => undoParameters(`ALTER COLUMN ${columnText(context)} `)(context),
  AT_SetStorage: (context) => [
    advice(`${context.alter} ALTER COLUMN ${columnText(context)} SET STORAGE … (what it was before);`),
  ],
  AT_SetCompression: (context) => [
    advice(`${context.alter} ALTER COLUMN ${columnText(context)} SET COMPRESSION … (what it was before);`),
  ],
  AT_AddConstraint: dropConstraint,
  AT_DropConstraint: onlyAPersonKnows(
    (context) => `${context.alter} ADD CONSTRAINT ${columnText(context)} … (previous definition);`,
  ),
  AT_AlterConstraint: onlyAPersonKnows(
    (context) => `${context.alter} ALTER CONSTRAINT … with the properties it had before;`,
  ),
  AT_ValidateConstraint: onlyAPersonKnows(
    () => 'A validated constraint need not be invalidated: nothing to take back.',
  ),
  AT_AlterColumnType: onlyAPersonKnows(
    (context) =>
      `${context.alter} ALTER COLUMN ${columnText(context)} TYPE … USING … (previous type); values that were cut stay cut.`,
  ),
  AT_ChangeOwner: onlyAPersonKnows((context) => `${context.alter} OWNER TO … (previous owner);`),
  AT_ClusterOn: (context) => [`${context.alter} SET WITHOUT CLUSTER;`],
  AT_SetLogged: (context) => [`${context.alter} SET UNLOGGED;`],
  AT_SetUnLogged: (context) => [`${context.alter} SET LOGGED;`],
  AT_SetRelOptions: undoParameters(''),
  AT_EnableTrig: reverse('DISABLE TRIGGER'),
  AT_EnableAlwaysTrig: reverse('ENABLE TRIGGER'),
  AT_EnableReplicaTrig: reverse('ENABLE TRIGGER'),
  AT_DisableTrig: reverse('ENABLE TRIGGER'),
  AT_EnableTrigAll: reverse('DISABLE TRIGGER ALL'),
  AT_DisableTrigAll: reverse('ENABLE TRIGGER ALL'),
  AT_EnableTrigUser: reverse('DISABLE TRIGGER USER'),
  AT_DisableTrigUser: reverse('ENABLE TRIGGER USER'),
  AT_EnableRule: reverse('DISABLE RULE'),
  AT_EnableAlwaysRule: reverse('ENABLE RULE'),
  AT_EnableReplicaRule: reverse('ENABLE RULE'),
  AT_DisableRule: reverse('ENABLE RULE'),
  AT_EnableRowSecurity: reverse('DISABLE ROW LEVEL SECURITY'),
  AT_DisableRowSecurity: reverse('ENABLE ROW LEVEL SECURITY'),
  AT_ForceRowSecurity: reverse('NO FORCE ROW LEVEL SECURITY'),
  AT_NoForceRowSecurity: reverse('FORCE ROW LEVEL SECURITY'),
  AT_ReplicaIdentity: (context) => [
    advice('If it was not the default before, set that one instead.'),
    `${context.alter} REPLICA IDENTITY DEFAULT;`,
  ],
  AT_AddInherit: (context) => [`${context.alter} NO INHERIT ${parentText(context)};`],
  AT_DropInherit: (context) => [`${context.alter} INHERIT ${parentText(context)};`],
  AT_AttachPartition: detach,
  AT_DetachPartition: attach,
  AT_DetachPartitionFinalize: attach,
};

function alterTable(body: Body<'AlterTableStmt'>): Hints {
  const kind = kindOf(body.objtype);
  const table = rangeRef(body.relation, kind);
  const only = kind === 'table' && body.relation?.inh !== true ? 'ONLY ' : '';
  const alter = `ALTER ${kind.toUpperCase()} ${only}${nameText(table)}`;
  return bodiesOf(body.cmds, 'AlterTableCmd')
    .toReversed()
    .flatMap((command) => {
      const hint = command.subtype === undefined ? undefined : commandHints[command.subtype];
      return hint?.({ alter, table, command }) ?? [advice(`Put back what this changed of ${nameText(table)}.`)];
    });
}

/** Hints for statements that create or alter tables and indexes. */
export const tableHints: Handlers<Hints, undefined> = {
  CreateStmt: (body) => dropTable(body, 'table'),
  CreateForeignTableStmt: (body) => (body.base === undefined ? [] : dropTable(body.base, 'foreign table')),
  CreateTableAsStmt: (body) => {
    const kind = body.objtype === 'OBJECT_MATVIEW' ? 'materialized view' : 'table';
    const drop = `DROP ${objectText(rangeRef(body.into?.rel, kind))};`;
    return body.if_not_exists === true
      ? [advice('IF NOT EXISTS: drop it only if this migration really created it.'), drop]
      : [drop];
  },
  IndexStmt: dropIndex,
  AlterTableStmt: alterTable,
  AlterTableMoveAllStmt: () => [advice('Move the tables back to the tablespaces they came from.')],
};

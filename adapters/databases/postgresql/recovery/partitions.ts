import type { Inspection, StatementRecovery } from '../../../../src/adapter/database.js';
import { bodiesOf, bodyOf } from '../classify/tree.js';
import type { Body } from '../classify/tree.js';
import { qualified } from '../quoting.js';
import { done, notDone, partly, printName, relationId, unknown } from './inspection.js';
import type { Rows } from './inspection.js';

interface Relation {
  readonly id: string;
  readonly schema: string;
  readonly name: string;
}

interface Answer {
  /** Undefined when the name means no relation. */
  readonly parent: Relation | undefined;
  readonly partition: Relation | undefined;
  /** pending: the first half has happened, and only FINALIZE can end it (pg_inherits.inhdetachpending). */
  readonly state: 'attached' | 'pending' | 'apart';
}

/** ALTER TABLE … DETACH PARTITION … CONCURRENTLY; undefined for every other ALTER TABLE. */
export function partitionDetachment(statement: Body<'AlterTableStmt'>): StatementRecovery | undefined {
  const [command, ...others] = bodiesOf(statement.cmds, 'AlterTableCmd');
  const partition = bodyOf(command?.def, 'PartitionCmd');
  if (command?.subtype !== 'AT_DetachPartition' || partition?.concurrent !== true || others.length > 0)
    return undefined;
  return {
    kind: 'inspectable',
    // Only in the end does it lock the partition itself, against those who name it rather than the whole table.
    waitsAside: true,
    failsCleanly: false,
    inspect: `SELECT p.oid::text, pn.nspname::text, p.relname::text, c.oid::text, cn.nspname::text, c.relname::text,
 CASE WHEN h.inhrelid IS NULL THEN 'apart' WHEN h.inhdetachpending THEN 'pending' ELSE 'attached' END
FROM (SELECT ${relationId(statement.relation ?? {})}, ${relationId(partition.name ?? {})}) named(parent, part)
LEFT JOIN pg_catalog.pg_class p ON p.oid = named.parent LEFT JOIN pg_catalog.pg_namespace pn ON pn.oid = p.relnamespace
LEFT JOIN pg_catalog.pg_class c ON c.oid = named.part LEFT JOIN pg_catalog.pg_namespace cn ON cn.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_inherits h ON h.inhparent = named.parent AND h.inhrelid = named.part`,
    judge: (before, now) => judge(before === null ? undefined : read(before), read(now)),
  };
}

function read(rows: Rows): Answer {
  const [row = []] = rows;
  const relation = (at: number): Relation | undefined => {
    const id = row[at] ?? null;
    return id === null ? undefined : { id, schema: row[at + 1] ?? '', name: row[at + 2] ?? '' };
  };
  const state = row[6];
  return {
    parent: relation(0),
    partition: relation(3),
    state: state === 'attached' || state === 'pending' ? state : 'apart',
  };
}

function judge(was: Answer | undefined, is: Answer): Inspection {
  const { parent, partition } = is;
  if (parent === undefined || partition === undefined) {
    return unknown(`The ${parent === undefined ? 'partitioned table' : 'partition'} is not there any more.`);
  }
  const child = printName(partition.schema, partition.name);
  const whole = printName(parent.schema, parent.name);
  if (was !== undefined && (was.parent?.id !== parent.id || was.partition?.id !== partition.id)) {
    return unknown(`${whole} or ${child} is not the table that was there before the statement.`);
  }
  switch (is.state) {
    case 'attached':
      return notDone(`${child} is still a partition of ${whole}.`);
    case 'pending':
      return was?.state === 'pending'
        ? notDone(`${child} was half detached from ${whole} before the statement, which can only be ended by FINALIZE.`)
        : partly(
            `${child} is half detached from ${whole}: queries of ${whole} no longer see its rows.`,
            [`ALTER TABLE ${qualified(parent)} DETACH PARTITION ${qualified(partition)} FINALIZE`],
            'done',
          );
    case 'apart':
      if (was === undefined) return unknown(`${child} is no partition of ${whole}; nothing tells whether it was one.`);
      return was.state === 'apart'
        ? notDone(`${child} is no partition of ${whole}, and was none before.`)
        : done(`${child} is no longer a partition of ${whole}.`);
  }
}

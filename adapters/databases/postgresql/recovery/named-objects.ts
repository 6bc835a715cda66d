import type { Inspection, StatementRecovery } from '../../../../src/adapter/database.js';
import { writeIdentifier } from '../classify/identifiers.js';
import { quoteIdentifier, quoteLiteral } from '../quoting.js';
import { done, notDone, partly, unknown } from './inspection.js';
import type { Rows } from './inspection.js';

/** A database, tablespace or subscription of one name: no schema, no search_path, one answer of at most one row. */
interface Answer {
  /** Undefined when there is none of that name. */
  readonly id: string | undefined;
  /** broken: a database that is half dropped, to which nobody can connect (pg_database.datconnlimit is -2). */
  readonly broken: boolean;
  /** The tablespace of a database, the publications of a subscription as JSON. */
  readonly detail: string | undefined;
}

function read(rows: Rows): Answer {
  const [id, state, detail] = rows[0] ?? [];
  return { id: id ?? undefined, broken: state === 'broken', detail: detail ?? undefined };
}

function judgedBy(
  inspect: string,
  judge: (was: Answer | undefined, is: Answer) => Inspection,
  failsCleanly = false,
): StatementRecovery {
  return {
    kind: 'inspectable',
    waitsAside: false,
    failsCleanly,
    inspect,
    judge: (before, now) => judge(before === null ? undefined : read(before), read(now)),
  };
}

function databaseQuestion(name: string): string {
  return `SELECT d.oid::text, CASE WHEN d.datconnlimit = -2 THEN 'broken' ELSE 'whole' END, s.spcname::text
FROM pg_catalog.pg_database d JOIN pg_catalog.pg_tablespace s ON s.oid = d.dattablespace WHERE d.datname = ${quoteLiteral(name)}`;
}

function tablespaceQuestion(name: string): string {
  return `SELECT oid::text, 'whole', NULL FROM pg_catalog.pg_tablespace WHERE spcname = ${quoteLiteral(name)}`;
}

function subscriptionQuestion(name: string): string {
  return `SELECT s.oid::text, 'whole', pg_catalog.to_json(s.subpublications)::text
FROM pg_catalog.pg_subscription s JOIN pg_catalog.pg_database d ON d.oid = s.subdbid
WHERE d.datname = pg_catalog.current_database() AND s.subname = ${quoteLiteral(name)}`;
}

/** `caution` is what the catalog does not show of a creation that is not there. */
function judgeCreation(printed: string, was: Answer | undefined, is: Answer, caution = ''): Inspection {
  if (is.id === undefined) return notDone(`There is no ${printed}.${caution}`);
  if (was === undefined)
    return unknown(`There is a ${printed}; nothing tells whether it was there before the statement.`);
  if (was.id === is.id) return notDone(`The ${printed} was there before the statement, which cannot make another.`);
  return is.broken ? unknown(`The ${printed} is new, and half dropped.`) : done(`The ${printed} is there.`);
}

interface Removal {
  readonly printed: string;
  readonly ifExists: boolean;
  /** What the catalog does not show of a removal that has not happened. */
  readonly caution?: string;
  /** Ends a removal that stopped half-way. */
  readonly repair?: string;
}

function judgeRemoval(removal: Removal, was: Answer | undefined, is: Answer): Inspection {
  const { printed, ifExists, caution = '', repair } = removal;
  if (is.id === undefined) {
    if (was?.id !== undefined) return done(`The ${printed} is gone.`);
    const words = `There is no ${printed}`;
    if (ifExists) return done(`${words}.`);
    return was === undefined
      ? unknown(`${words}; nothing tells whether the statement dropped it.`)
      : notDone(`${words}, and there was none before the statement.`);
  }
  if (is.broken && repair !== undefined && (was === undefined || (was.id === is.id && !was.broken))) {
    return partly(`The ${printed} is half dropped: nobody can connect to it any more.`, [repair], 'done');
  }
  if (was === undefined) return unknown(`There is a ${printed}; nothing tells whether it is the one from before.`);
  if (was.id === is.id) return notDone(`The ${printed} is still there.${caution}`);
  return was.id === undefined
    ? unknown(`The ${printed} was not there before the statement, and is there now.`)
    : done(`The ${printed} that was there is gone; another of that name has been made since.`);
}

/** CREATE DATABASE removes what it has copied when it fails; its catalog row is its last act. */
export function databaseCreation(name: string): StatementRecovery {
  const printed = `database ${writeIdentifier(name)}`;
  return judgedBy(databaseQuestion(name), (was, is) => judgeCreation(printed, was, is), true);
}

export function databaseRemoval(name: string, ifExists: boolean): StatementRecovery {
  const removal = {
    printed: `database ${writeIdentifier(name)}`,
    ifExists,
    repair: `DROP DATABASE ${quoteIdentifier(name)}`,
  };
  return judgedBy(databaseQuestion(name), (was, is) => judgeRemoval(removal, was, is));
}

/** ALTER DATABASE … SET TABLESPACE: copies first, and the catalog row says where the database is. */
export function databaseMove(name: string, tablespace: string): StatementRecovery {
  const printed = `database ${writeIdentifier(name)}`;
  return judgedBy(databaseQuestion(name), (_was, is) => {
    if (is.id === undefined) return unknown(`There is no ${printed}.`);
    const place = `The ${printed} is in tablespace ${writeIdentifier(is.detail ?? '')}.`;
    return is.detail === tablespace ? done(place) : notDone(place);
  });
}

export function tablespaceCreation(name: string): StatementRecovery {
  const printed = `tablespace ${writeIdentifier(name)}`;
  const caution =
    ' Its folder may hold an empty directory PG_… from the first attempt: the server then asks to remove it.';
  return judgedBy(tablespaceQuestion(name), (was, is) => judgeCreation(printed, was, is, caution));
}

export function tablespaceRemoval(name: string, ifExists: boolean): StatementRecovery {
  const removal = { printed: `tablespace ${writeIdentifier(name)}`, ifExists };
  return judgedBy(tablespaceQuestion(name), (was, is) => judgeRemoval(removal, was, is));
}

export function subscriptionCreation(name: string): StatementRecovery {
  const printed = `subscription ${writeIdentifier(name)}`;
  const caution = ' The publisher may hold its replication slot already: the server then refuses to make another.';
  return judgedBy(subscriptionQuestion(name), (was, is) => judgeCreation(printed, was, is, caution));
}

export function subscriptionRemoval(name: string, ifExists: boolean): StatementRecovery {
  const removal = {
    printed: `subscription ${writeIdentifier(name)}`,
    ifExists,
    caution: ' Its slot at the publisher may be gone: the server then asks for SET (slot_name = NONE) first.',
  };
  return judgedBy(subscriptionQuestion(name), (was, is) => judgeRemoval(removal, was, is));
}

/** ALTER SUBSCRIPTION … ADD or DROP PUBLICATION, which the server refuses when it has been done already. */
export function publicationListChange(
  name: string,
  change: 'add' | 'drop',
  publications: readonly string[],
): StatementRecovery {
  const printed = `subscription ${writeIdentifier(name)}`;
  return judgedBy(subscriptionQuestion(name), (was, is) => {
    if (was === undefined || is.id === undefined || was.id !== is.id) {
      return unknown(`Nothing tells what the publications of ${printed} were before the statement.`);
    }
    const listed = (answer: Answer): number => {
      const list = JSON.parse(answer.detail ?? '[]') as readonly string[];
      return publications.filter((publication) => list.includes(publication)).length;
    };
    const [none, all] = change === 'add' ? [0, publications.length] : [publications.length, 0];
    const words = `The ${printed} has ${listed(is)} of the ${publications.length} publications that the statement names.`;
    if (listed(is) === listed(was)) return notDone(words);
    return listed(was) === none && listed(is) === all ? done(words) : unknown(words);
  });
}

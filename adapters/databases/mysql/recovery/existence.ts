import type { Inspection, StatementRecovery } from '../../../../src/adapter/database.js';
import { quoteIdentifier } from '../quoting.js';
import {
  askPresence,
  askDatabase,
  askIndex,
  askObjects,
  askRoutine,
  foundObjects,
  type ObjectKind,
  printName,
  quoteName,
} from './catalog-rows.js';
import { done, inspectable, notDone, partly, type Rows, unknown } from './inspection.js';
import type { ObjectName } from './statement-reader.js';

/** A thing that is made or removed as a whole. */
interface Thing {
  /** "trigger shop.tr" */
  readonly printed: string;
  readonly inspect: string;
}

export function triggerNamed(name: ObjectName): Thing {
  return { printed: `trigger ${printName(name)}`, inspect: askObjects('trigger', [name]) };
}

export function eventNamed(name: ObjectName): Thing {
  return { printed: `event ${printName(name)}`, inspect: askObjects('event', [name]) };
}

/** `type`: PROCEDURE, FUNCTION, PACKAGE, PACKAGE BODY. */
export function routineNamed(type: string, name: ObjectName): Thing {
  return { printed: `${type.toLowerCase()} ${printName(name)}`, inspect: askRoutine(type, name) };
}

export function relationNamed(kind: 'table' | 'view' | 'sequence', name: ObjectName): Thing {
  return { printed: `${kind} ${printName(name)}`, inspect: askObjects(kind, [name]) };
}

export function indexNamed(table: ObjectName, index: string): Thing {
  return { printed: `index ${index} on ${printName(table)}`, inspect: askIndex(table, index) };
}

export function databaseNamed(name: string): Thing {
  return { printed: `database ${name}`, inspect: askDatabase(name) };
}

interface Creation {
  readonly replaces: boolean;
  /** Undefined: MySQL and MariaDB make it whole or not at all. Else why it may be there and not be whole, as a sentence. */
  readonly mayBePart?: ((rows: Rows) => string | undefined) | undefined;
  /** Why it may have come and gone again, as a sentence. */
  readonly mayHaveGone?: string | undefined;
}

/** CREATE. What is replaced may be removed already when the new one cannot be made, so its failure is looked at. */
export function creation(thing: Thing, { replaces, mayBePart, mayHaveGone }: Creation): StatementRecovery {
  const { printed, inspect } = thing;
  const judge = (before: Rows, now: Rows): Inspection => {
    const was = foundObjects(before).get(0);
    const is = foundObjects(now).get(0);
    if (is === undefined) {
      if (was !== undefined) {
        return unknown(
          replaces
            ? `The ${printed} that was to be replaced is gone, and there is no new one: the statement has to run again.`
            : `The ${printed} was there before the statement and is gone.`,
        );
      }
      return mayHaveGone === undefined
        ? notDone(`There is no ${printed}.`)
        : unknown(`There is no ${printed}. ${mayHaveGone}`);
    }
    if (was === undefined) {
      const part = mayBePart?.(now);
      return part === undefined ? done(`The ${printed} is there.`) : unknown(part);
    }
    if (!replaces) return notDone(`The ${printed} was there before the statement, which cannot make another.`);
    return was.definition === is.definition
      ? notDone(`The ${printed} is as it was; replacing it once more does no harm.`)
      : done(`The ${printed} is another one than before.`);
  };
  return inspectable(inspect, judge, !replaces);
}

/** DROP of one thing. */
export function removal({ printed, inspect }: Thing, ifExists: boolean): StatementRecovery {
  return inspectable(inspect, (before, now) => {
    const was = foundObjects(before).has(0);
    if (foundObjects(now).has(0)) {
      return was
        ? notDone(`The ${printed} is still there.`)
        : unknown(`The ${printed} was not there before the statement, and is there now.`);
    }
    if (was) return done(`The ${printed} is gone.`);
    return ifExists
      ? done(`There is no ${printed}, and there was none before the statement.`)
      : notDone(`There is no ${printed}, and there was none before the statement.`);
  });
}

/**
 * DROP TABLE and the like of several: MariaDB removes one after the other, those that it can, and then says which it could
 * not; a crash stops it anywhere (MariaDB documentation, "Atomic DDL").
 */
export function removals(
  kind: Extract<ObjectKind, 'table' | 'view' | 'sequence'>,
  names: readonly ObjectName[],
  ifExists: boolean,
): StatementRecovery {
  const [only] = names;
  if (only !== undefined && names.length === 1) {
    return removal({ printed: `${kind} ${printName(only)}`, inspect: askPresence(kind, names) }, ifExists);
  }
  const judge = (before: Rows, now: Rows): Inspection => {
    const was = foundObjects(before);
    const is = foundObjects(now);
    const there = names.filter((_name, place) => was.has(place));
    const left = names.filter((_name, place) => was.has(place) && is.has(place));
    const list = (some: readonly ObjectName[]): string => some.map(printName).join(', ');
    if (there.length === 0) {
      const words = `There was no ${kind} of these names before the statement: ${list(names)}.`;
      return ifExists ? done(words) : notDone(words);
    }
    if (left.length === 0) return done(`Gone: ${kind} ${list(there)}.`);
    if (left.length === there.length) return notDone(`Still there: ${kind} ${list(left)}.`);
    const gone = there.filter((name) => !left.includes(name));
    return partly(
      `Of what the statement drops, ${list(gone)} is gone and ${list(left)} is still there.`,
      [`DROP ${kind.toUpperCase()} ${left.map(quoteName).join(', ')}`],
      'done',
    );
  };
  return inspectable(askPresence(kind, names), judge, false);
}

/** DROP DATABASE removes what is in it first, one by one. */
export function databaseRemoval(name: string, ifExists: boolean): StatementRecovery {
  const { printed, inspect } = databaseNamed(name);
  const judge = (before: Rows, now: Rows): Inspection => {
    const was = foundObjects(before).get(0);
    const is = foundObjects(now).get(0);
    if (is === undefined) {
      if (was !== undefined) return done(`The ${printed} is gone.`);
      const words = `There is no ${printed}, and there was none before the statement.`;
      return ifExists ? done(words) : notDone(words);
    }
    if (was === undefined) return unknown(`The ${printed} was not there before the statement, and is there now.`);
    const [held, holds] = [Number(was.definition), Number(is.definition)];
    if (holds === held) return notDone(`The ${printed} is still there, with all that it held.`);
    if (holds > held) return unknown(`The ${printed} is still there and holds more than before the statement.`);
    return partly(
      `The ${printed} is half dropped: of ${held} tables, views, routines and events ${holds} are left.`,
      [`DROP DATABASE ${quoteIdentifier(name)}`],
      'done',
    );
  };
  return inspectable(inspect, judge, false);
}

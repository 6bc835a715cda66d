import type { OnlineChange } from '../../../../src/risk/change.js';
import type { Work } from './impact.js';

/*
 * How InnoDB changes a table that others use. Sources: MySQL 8.4 manual, "Online DDL Operations" and "Online DDL with Concurrent
 * DML"; MariaDB documentation, "InnoDB Online DDL Operations with the INPLACE / NOCOPY / INSTANT Alter Algorithm". The words
 * are MariaDB's: where it says NOCOPY, and for some changes where it says INSTANT, MySQL says INPLACE and writes no row
 * either. A test holds the table to MariaDB itself. A table of InnoDB is meant, not compressed, without a FULLTEXT index;
 * of MySQL from 8.0.29 on.
 */

const algorithms = ['INSTANT', 'NOCOPY', 'INPLACE', 'COPY'] as const;
const locks = ['NONE', 'SHARED', 'EXCLUSIVE'] as const;
export type Algorithm = OnlineChange['algorithm'];
export type TableLock = OnlineChange['lock'];

/** What one part of a statement needs: the way, and what is done to the rows. */
export interface OnlineCost extends OnlineChange {
  readonly work: Work;
}

const cost = (algorithm: Algorithm, lock: TableLock, work: Work, isCertain = true): OnlineCost => ({
  algorithm,
  lock,
  work,
  isCertain,
});

export const instant = cost('INSTANT', 'NONE', 'none');
/** Nobody else is let in, for a moment. */
export const instantAlone = cost('INSTANT', 'EXCLUSIVE', 'none');
export const buildIndex = cost('NOCOPY', 'NONE', 'scan');
export const dropIndex = cost('NOCOPY', 'NONE', 'none');
/** The table is written anew while others read and write it. */
export const rebuild = cost('INPLACE', 'NONE', 'rewrite');
export const rebuildForReaders = cost('INPLACE', 'SHARED', 'rewrite');
export const scanForReaders = cost('INPLACE', 'SHARED', 'scan');
export const copy = cost('COPY', 'SHARED', 'rewrite');

/** The same, told as the worst that it may come to. */
export function atWorst(known: OnlineCost): OnlineCost {
  return { ...known, isCertain: false };
}

/** What several parts of one statement need together. */
export function together(costs: readonly OnlineCost[]): OnlineCost {
  const works: readonly Work[] = ['none', 'scan', 'rewrite'];
  const worst = <T>(order: readonly T[], values: readonly T[]): T =>
    order[Math.max(0, ...values.map((value) => order.indexOf(value)))] as T;
  return {
    algorithm: worst(
      algorithms,
      costs.map(({ algorithm }) => algorithm),
    ),
    lock: worst(
      locks,
      costs.map(({ lock }) => lock),
    ),
    work: worst(
      works,
      costs.map(({ work }) => work),
    ),
    isCertain: costs.every(({ isCertain }) => isCertain),
  };
}

/** What ALGORITHM = … and LOCK = … of a statement say; undefined for DEFAULT and for what is not said. */
export interface Asked {
  readonly algorithm: Algorithm | undefined;
  readonly lock: TableLock | undefined;
}

export function readAlgorithm(value: string | undefined): Algorithm | undefined {
  return algorithms.find((known) => known.toLowerCase() === value);
}

export function readLock(value: string | undefined): TableLock | undefined {
  return locks.find((known) => known.toLowerCase() === value);
}

/** The server does as it is asked, or refuses; it takes no other way. */
export function asAsked(known: OnlineCost, asked: Asked): OnlineCost {
  const { algorithm, lock } = asked;
  if (algorithm === undefined) return lock === undefined ? known : { ...known, lock };
  if (algorithm === known.algorithm) return { ...known, lock: lock ?? known.lock, isCertain: true };
  const isCheaper = algorithms.indexOf(algorithm) < algorithms.indexOf(known.algorithm);
  switch (algorithm) {
    case 'INSTANT':
      return { algorithm, lock: lock ?? 'NONE', work: 'none', isCertain: true };
    case 'NOCOPY':
      return { algorithm, lock: lock ?? 'NONE', work: known.work === 'none' ? 'none' : 'scan', isCertain: true };
    case 'INPLACE':
      // What is instant is so under the name of INPLACE too.
      return {
        ...known,
        algorithm,
        lock: lock ?? (isCheaper ? 'SHARED' : known.lock),
        isCertain: lock !== undefined || !isCheaper,
      };
    case 'COPY':
      return { algorithm, lock: lock ?? 'SHARED', work: 'rewrite', isCertain: true };
  }
}

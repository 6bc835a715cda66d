import type { Session } from '../../../../src/adapter/database.js';
import type { NeededScript, Pooling } from '../../../../src/adapter/server-checks.js';
import { type Check, listed } from '../../../../src/doctor/check.js';
import { FlybackError } from '../../../../src/errors/error.js';

/** A pool that is full makes its clients wait; nobody is waited for longer than this. */
const patienceMs = 3000;
const rounds = 5;

/**
 * Finds out by what happens: if two open connections meet one server process, or one connection meets two, a pooler
 * hands them round. A competing connection holds a transaction, so that the pooler has a reason to; this session itself
 * only asks, because a pooler in statement mode cuts the connection that begins a transaction.
 */
export async function probePooling(session: Session, connect: () => Promise<Session>): Promise<Pooling> {
  if (!session.facts.proxied && (await processOf(session)) === session.facts.backendId) return 'direct';
  const opening = connect();
  try {
    const rival = await inTime(opening);
    const own = new Set([session.facts.backendId]);
    const rivals = new Set([rival.facts.backendId]);
    const isShared = (): boolean => own.size > 1 || rivals.size > 1 || [...own].some((process) => rivals.has(process));
    for (let round = 0; round < rounds && !isShared(); round += 1) {
      await inTime(rival.query('BEGIN'));
      rivals.add(await inTime(processOf(rival)));
      // A pool of one would have nothing left to answer with.
      if (!isShared()) own.add(await inTime(processOf(session)));
      await inTime(rival.query('ROLLBACK'));
      // Twice, because a pool that hands out its processes in turn gives the same one to whoever asks alternately.
      for (let again = 0; again < 2; again += 1) own.add(await inTime(processOf(session)));
    }
    if (!isShared()) return 'session';
    await inTime(rival.query('BEGIN'));
    await inTime(rival.query('ROLLBACK'));
    return 'transaction';
  } catch (error) {
    if (error instanceof TooSlow) return 'unclear';
    if (refusesTransactions(error)) return 'statement';
    throw error;
  } finally {
    // Whoever gives up waiting must still close what comes after all.
    void opening.then((rival) => rival.close()).catch(() => undefined);
  }
}

/** PgBouncer: "transaction blocks not allowed in statement pooling mode". */
function refusesTransactions(error: unknown): boolean {
  return error instanceof FlybackError && /transaction blocks? not allowed/i.test(error.message);
}

class TooSlow extends Error {}

async function inTime<T>(work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      reject(new TooSlow());
    }, patienceMs);
  });
  // It may still fail after nobody waits for it any more.
  work.catch(() => undefined);
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

async function processOf(session: Session): Promise<number> {
  const [answer] = await session.query('SELECT pg_catalog.pg_backend_pid()');
  return Number(answer?.rows[0]?.[0]);
}

/** Changes of the session that a script leaves behind, which through a pooler others inherit. */
const lastingSetting = /^set\s+(?!local\b|constraints\b|transaction\b)/i;

/** What this way of pooling means for rollbacks. Pure. */
export function poolingCheck(pooling: Pooling, scripts: readonly NeededScript[]): Check {
  const check = 'pooler';
  const hint = 'Give flyback the server’s own address: --url, or FLYWAY_URL in the environment of the rollback.';
  const without = scripts.filter((script) => script.transaction === 'off').map(({ version }) => version);
  const refused =
    without.length === 0
      ? ' Rollbacks without a transaction would be refused; no script needs one.'
      : ` Rollbacks without a transaction are refused: version ${listed(without)}.`;
  switch (pooling) {
    case 'direct':
      return { check, result: 'ok', message: 'None: the connection is one server process.' };
    case 'statement':
      return {
        check,
        result: 'problem',
        message:
          'A pooler in statement mode stands between: it refuses every transaction, so nothing can be rolled back.',
        hint,
      };
    case 'session':
      return {
        check,
        result: without.length === 0 ? 'ok' : 'problem',
        message: `A pooler in session mode stands between; the connection keeps its server process.${refused}`,
        hint: without.length === 0 ? undefined : hint,
      };
    case 'transaction': {
      const lasting = scripts.flatMap((script) =>
        script.statements
          .filter(({ text }) => lastingSetting.test(text))
          .map(({ line, text }) => `version ${script.version}, line ${line}: ${text.split('\n', 1)[0] ?? ''}`),
      );
      return {
        check,
        result: without.length === 0 ? 'warning' : 'problem',
        message: `A pooler in transaction mode stands between: each version is rolled back in one transaction and guarded, but between two versions others may come in.${refused}${
          lasting.length === 0
            ? ''
            : ' Settings that scripts make with SET would stay for whoever gets the server process next.'
        }`,
        hint: lasting.length === 0 ? hint : `${hint} Or write SET LOCAL in the scripts.`,
        ...(lasting.length === 0 ? {} : { details: lasting }),
      };
    }
    case 'unclear':
      return {
        check,
        result: without.length === 0 ? 'warning' : 'problem',
        message: `A pooler stands between and gave no second connection within ${patienceMs / 1000} s: it works in session mode, or its pool is full.${refused}`,
        hint,
      };
  }
}

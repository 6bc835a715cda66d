import type { Toolbox } from '../adapter/toolbox.js';
import { FlybackError } from '../errors/error.js';
import type { Migration } from '../history/migration.js';
import { endedNote, openingOf, type ApplyRequest } from './apply-migrations.js';

/**
 * One migration that is a program: its up function, in a transaction together with its history row, whatever the tool would do.
 * `forgetsOthers`: the history then has its row alone. Throws FlybackError script-failed.
 */
export async function applyProgram(
  request: Omit<ApplyRequest, 'migrations'>,
  migration: Migration,
  { forgetsOthers = false }: { readonly forgetsOthers?: boolean } = {},
): Promise<void> {
  const { session, toolbox, settings, table, functions, signal } = request;
  const { database, history } = toolbox;
  if (functions === undefined) throw notSql(migration, toolbox);
  const path = database.sql.useScriptPath(
    session.facts,
    history.scriptSchema(settings, table, session.facts.currentSchema),
  );
  await session.query(`${path};${openingOf(request)}`);
  try {
    const outcome = await functions.call(
      { file: migration.file, name: migration.script, direction: 'up' },
      session,
      { onStatement: () => undefined, onAnswer: () => undefined },
      signal,
    );
    if (outcome.kind === 'failed') {
      const { failure } = outcome;
      throw new FlybackError(
        'script-failed',
        `Migration ${migration.script} failed: ${failure.message}${endedNote(request, failure)}`,
        {
          hint: failure.hint ?? 'Correct the migration, or start from a database in which it works.',
          serverCode: failure.serverCode,
          condition: failure.condition,
        },
      );
    }
    if (outcome.kind !== 'done') {
      const why = outcome.kind === 'refused' ? `cannot be run here: ${outcome.reason}` : outcome.problem;
      throw new FlybackError('script-failed', `The up function of ${migration.script} ${why}`, {
        hint:
          (outcome.kind === 'broken' ? outcome.hint : undefined) ??
          'Correct the function, or prove the versions below it.',
      });
    }
    if (forgetsOthers) await session.query(history.scratch.clearTable(database, table));
    await session.query(history.scratch.insertRow(database, table, migration, 0));
    await session.query(database.sql.commit);
  } catch (error) {
    await session.query(database.sql.rollback).catch(() => undefined);
    throw error instanceof FlybackError && error.code === 'function-idle'
      ? new FlybackError('script-failed', `The up function of ${migration.script} did not end: ${error.message}`, {
          hint: error.hint,
        })
      : error;
  }
}

/** Nobody may call its functions. */
export function notSql({ script }: Migration, { history, database }: Toolbox): FlybackError {
  const mayBeCalled = history.functions !== undefined && database.lend !== undefined;
  return new FlybackError(
    'script-failed',
    `${script} is not SQL: ${history.words.name} alone can apply it, so neither it nor what stands above it can be proven in a scratch database.`,
    {
      hint: mayBeCalled
        ? `down = true under [${history.tool}] in flyback.toml lets flyback call its functions.`
        : undefined,
    },
  );
}

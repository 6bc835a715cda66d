import path from 'node:path';
import { pathToFileURL } from 'node:url';
import type * as library from '../../../src/index.js';
import type { Target } from '../../../src/plan/plan.js';
import type { Round, State } from './round.js';

/** What the judge says of a round. */
export interface Verdict {
  /** Each a sentence; empty when all is as it must be. */
  readonly wrong: readonly string[];
  /** A version stands on top of a missing one, and flyback has warned of exactly that. */
  readonly warned: boolean;
}

/** What flyback says of a migrate that it could not keep from acting on what it remembers. */
export const staleWarning = /may have read the history before/;

/** Looks at what a round has left, then lets both tools work on. */
export async function judge(round: Round): Promise<Verdict> {
  const wrongResume = await resumeWhereAsked(round);
  const state = await round.state();
  const wrong = [...wrongResume, ...agreement(round, state), ...processes(round)];
  const missing = gap(state);
  const hasWarned = round.flybackRuns.some(({ warnings }) => warnings.some((text) => staleWarning.test(text)));
  if (missing !== undefined && !hasWarned)
    wrong.push(`version ${missing} is missing below applied ones, and nobody was warned`);
  if (wrong.length === 0) wrong.push(...(await nextRuns(round, missing !== undefined)));
  return { wrong, warned: missing !== undefined && hasWarned };
}

/** A run that says it was interrupted is finished by resume; one that does not say so leaves nothing to resume. */
async function resumeWhereAsked(round: Round): Promise<string[]> {
  const { isJournalOpen } = await round.state();
  const isAsked = round.flybackRuns.some(({ code }) => code === 4);
  if (!isJournalOpen) return [];
  if (!isAsked) return ['a journal is open and nobody was told'];
  const resumed = await round.flyback('resume');
  return resumed.code === 0 ? [] : [`resume ended with ${String(resumed.code)}`];
}

/** The versions that are applied, ascending. */
function applied(state: State): readonly number[] {
  return state.history
    .filter(({ success }) => success)
    .map(({ version }) => version)
    .sort((a, b) => a - b);
}

/** The highest version that is not applied although a higher one is. */
function gap(state: State): number | undefined {
  const versions = applied(state);
  const highest = versions.at(-1) ?? 0;
  return Array.from({ length: highest }, (_, index) => highest - index).find((version) => !versions.includes(version));
}

/** History, schema, ledger and record tell the same story. */
function agreement(round: Round, state: State): string[] {
  const wrong: string[] = [];
  const versions = applied(state);
  const interrupted = state.history.filter(({ success }) => !success).map(({ version }) => version);
  if (new Set(versions).size !== versions.length) wrong.push(`a version is applied twice: ${versions.join()}`);
  if (interrupted.length > 0 || state.isJournalOpen)
    wrong.push(`left interrupted: ${interrupted.join() || 'journal only'}`);
  if (versions.join() !== state.tables.join())
    wrong.push(`the history says ${versions.join() || 'nothing'}, the schema has ${state.tables.join() || 'nothing'}`);
  const times = (what: 'up' | 'down', version: number): number =>
    state.ledger.find((entry) => entry.what === what && entry.version === version)?.times ?? 0;
  const recorded = (version: number): number =>
    state.record.filter((entry) => entry.outcome === 'committed' && entry.version === version).length;
  const reported = (version: number): number =>
    round.flybackRuns.flatMap(({ committed }) => committed).filter((other) => other === version).length;
  const { applied: before, pending } = round.setting;
  for (let version = 1; version <= before + pending; version += 1) {
    const down = times('down', version);
    if (times('up', version) - down !== Number(versions.includes(version)))
      wrong.push(`version ${version} went up ${times('up', version)} times and down ${down} times`);
    if (recorded(version) !== down)
      wrong.push(`version ${version} went down ${down} times, the record tells of ${recorded(version)}`);
    if (reported(version) !== down)
      wrong.push(`version ${version} went down ${down} times, flyback told of ${reported(version)}`);
  }
  if (!state.isRecordWhole) wrong.push('the chain of the record is broken');
  return wrong;
}

/** Nobody ended in a way that has no name. */
function processes(round: Round): string[] {
  const wrong: string[] = [];
  for (const { commandLine, code, errorCode, stderr } of round.flybackRuns) {
    // Another rollback was there before: the version that was to stay is gone, or there is nothing left to take back.
    const cameTooLate = errorCode === 'version-unknown';
    const isNamed = [0, 1, 3, 4].includes(Number(code)) && errorCode !== 'internal' && errorCode !== 'script-failed';
    if (!isNamed && !cameTooLate) wrong.push(`flyback ${commandLine} ended with ${String(code)}: ${stderr.trim()}`);
  }
  for (const { command, failure } of round.flywayRuns) {
    if (failure !== undefined && !/failed validation|failed migration|Detected (failed|resolved)/.test(failure))
      wrong.push(`flyway ${command} failed: ${failure}`);
  }
  return wrong;
}

/** After the round migrate brings everything up, info or validate agrees, and flyback takes one version back again. */
async function nextRuns(round: Round, hasGap: boolean): Promise<string[]> {
  const settings: Readonly<Record<string, string>> = hasGap ? { outOfOrder: 'true' } : {};
  const migrated = await round.flyway('migrate', settings);
  if (migrated.failure !== undefined) return [`the next migrate failed: ${migrated.failure}`];
  const total = round.setting.applied + round.setting.pending;
  if (round.chance(0.5)) {
    const info = await round.open(settings).info();
    const states = info.filter(({ state }) => !['Success', 'Out of Order'].includes(state));
    if (info.length !== total || states.length > 0)
      return [`info shows ${info.map(({ version, state }) => `${version ?? ''} ${state}`).join(', ')}`];
  } else {
    const validated = await round.open(settings).validate();
    if (!validated.successful) return [`validate failed: ${validated.message ?? ''}`];
  }
  const stopped = await nextRollback(
    round,
    hasGap ? { kind: 'only', version: String(total) } : { kind: 'steps', steps: 1 },
  );
  if (stopped !== undefined) return [`the next rollback: ${stopped}`];
  return agreement(round, await round.state());
}

/** By the library of the build under test, which takes less time than its command. */
async function nextRollback(round: Round, target: Target): Promise<string | undefined> {
  const file = path.join(path.dirname(round.command), 'index.js');
  const { withProject, planRollback, rollback } = (await import(pathToFileURL(file).href)) as typeof library;
  try {
    const result = await withProject({ folder: round.lane.folder, flags: {}, environment: {} }, async (project) =>
      rollback(project, await planRollback(project, { target })),
    );
    const committed = result.steps.filter(({ outcome }) => outcome === 'committed');
    round.noteRollback(
      committed.map(({ version }) => Number(version)),
      result.failure?.code,
    );
    return result.failure?.message;
  } catch (error) {
    return String(error);
  }
}

import type { TestDatabase } from '../harness/postgres.js';
import type { Arena, Ending, Means, Order } from './arena.js';
import { unknowable, unknowableDone } from './fixture.js';
import { judge, WrongOutcome, type Model, type State, type Verdict } from './state.js';

/*
 * What must hold after a fault: the database is in a state that may be, what the command said of it is true, and the next
 * commands bring it to the end. Everything else is thrown as a WrongOutcome.
 */

/** A command under test, and how it ended. */
export interface Attempt {
  readonly command: Order['command'];
  readonly ending: Ending;
  /** The fault may have kept flyback from asking the server what became of a commit. */
  readonly mayBeCutOff: boolean;
}

/** How the next commands are disturbed, if at all. */
export interface Follow {
  /** Runs resume disturbed, by the same fault; undefined: undisturbed. Called at most twice. */
  readonly disturbResume?: (() => Promise<Attempt>) | undefined;
  /** Ask for a rollback first, which must be refused as long as resume is needed. */
  readonly tryRefused: boolean;
  /** How the next runs are made; by command, flyback itself checks the record at the end too. */
  readonly means: Means;
}

/** Judges the state, then what the command said about it. */
export async function judgeAttempt(arena: Arena, database: TestDatabase, attempt: Attempt): Promise<Verdict> {
  await arena.untilAlone(database);
  const verdict = judge(await arena.state(database), arena.model);
  checkWords(arena, attempt, verdict);
  return verdict;
}

/** From whatever state to the end of all versions. */
export async function bringToEnd(
  arena: Arena,
  database: TestDatabase,
  first: Verdict,
  follow: Follow,
): Promise<{ readonly resumes: number }> {
  let verdict = first;
  let resumes = 0;
  while (verdict.kind === 'interrupted') {
    if (resumes === 0 && follow.tryRefused) await expectRefused(arena, database, follow.means);
    resumes += 1;
    if (resumes > 6) throw new WrongOutcome('resume does not come to an end');
    const { versions } = verdict;
    const disturb = resumes <= 2 ? follow.disturbResume : undefined;
    if (disturb !== undefined) {
      verdict = await judgeAttempt(arena, database, await disturb());
      if (verdict.versions < versions || verdict.versions > versions + 1) {
        throw new WrongOutcome(`a disturbed resume went from ${place(first)} to ${place(verdict)}`);
      }
      continue;
    }
    const ending = await resume(arena, database, follow.means);
    verdict = await judgeAttempt(arena, database, { command: 'resume', ending, mayBeCutOff: false });
    if (ending.code !== 0 || verdict.kind !== 'after' || verdict.versions !== versions + 1) {
      throw new WrongOutcome(`resume left it ${place(verdict)}: ${words(ending)}`);
    }
  }
  if (verdict.versions < arena.model.versions.length) {
    const ending = await arena.run(database, { command: 'rollback' }, follow.means);
    verdict = await judgeAttempt(arena, database, { command: 'rollback', ending, mayBeCutOff: false });
    if (ending.code !== 0) throw new WrongOutcome(`the next run did not work: ${words(ending)}`);
  }
  if (verdict.kind !== 'after' || verdict.versions !== arena.model.versions.length) {
    throw new WrongOutcome(`at the end it is ${place(verdict)}`);
  }
  if (follow.means === 'command') {
    const ending = await arena.verifyRecord(database);
    if (ending.code !== 0) throw new WrongOutcome(`log --verify: ${words(ending)}`);
  }
  return { resumes };
}

/** Resumes, and says what a person would find out where flyback may ask for it. */
export async function resume(arena: Arena, database: TestDatabase, means: Means): Promise<Ending> {
  const before = await arena.state(database);
  const ending = await arena.run(database, { command: 'resume' }, means);
  if (errorOf(ending) !== 'resume-unclear') return ending;
  if (!isUnknowableOpen(arena, before)) {
    throw new WrongOutcome(`resume asks about a statement that can be looked up: ${words(ending)}`);
  }
  const assume = (await arena.ask(database, unknowableDone)) ? 'done' : 'not-done';
  return arena.run(database, { command: 'resume', assume }, means);
}

async function expectRefused(arena: Arena, database: TestDatabase, means: Means): Promise<void> {
  const before = await arena.state(database);
  const ending = await arena.run(database, { command: 'rollback' }, means);
  if (ending.code !== 4 || errorOf(ending) !== 'resume-needed') {
    throw new WrongOutcome(`a rollback was not refused while one is interrupted: ${words(ending)}`);
  }
  const after = await arena.state(database);
  if (JSON.stringify(after) !== JSON.stringify(before)) throw new WrongOutcome('a refused rollback changed something');
}

/** The last statement that was started, and is not known to have ended, is the one that nobody can look up. */
function isUnknowableOpen(arena: Arena, { failed, journal }: State): boolean {
  const version = arena.model.versions.find((candidate) => failed.includes(candidate.version));
  const last = journal.findLast(({ event }) => event === 'started' || event === 'finished');
  return last?.event === 'started' && version?.down[last.statement ?? -1] === unknowable;
}

interface Report {
  readonly outcome?: string;
  readonly steps?: readonly { readonly version: string; readonly outcome: string }[];
  readonly error?: { readonly code: string };
}

/** Exit code, result and progress must agree with the state that was found. */
function checkWords(arena: Arena, { command, ending, mayBeCutOff }: Attempt, verdict: Verdict): void {
  const wrong = (why: string): never => {
    throw new WrongOutcome(`${why}, but it is ${place(verdict)}: ${words(ending)}`);
  };
  if (ending.isStuck) wrong('it did not end by itself');
  if (/^ {4,}at .*:\d+/m.test(ending.stderr)) wrong('a stack trace was printed');
  const all = arena.model.versions.length;
  const gone = new Set(arena.model.versions.slice(0, verdict.versions).map(({ version }) => version));
  for (const [, version = ''] of ending.stderr.matchAll(/^ +rolled back {2}version (\S+)/gm)) {
    if (!gone.has(version)) wrong(`progress says that version ${version} was rolled back`);
  }
  if (ending.code === 'SIGKILL') return;
  const report = parse(ending);
  if (report === undefined) return wrong('its output is not JSON');
  if (report.error?.code === 'internal') wrong('an internal error');
  const claimed = (report.steps ?? []).filter(({ outcome }) => outcome === 'committed').map(({ version }) => version);
  for (const version of claimed) if (!gone.has(version)) wrong(`it says that version ${version} was rolled back`);
  const isExact = command === 'resume' || claimed.length === gone.size;
  switch (ending.code) {
    case 0:
      if (verdict.kind !== 'after' || (command === 'rollback' && verdict.versions !== all))
        wrong('it says that all is done');
      if (report.outcome !== 'committed' && report.outcome !== 'nothing-interrupted')
        wrong('exit code and outcome differ');
      break;
    case 2:
      if (claimed.length > 0) wrong('it says that nothing was begun');
      if (command === 'rollback' && (verdict.kind === 'interrupted' || !isExact))
        wrong('it says that nothing was begun');
      break;
    case 3:
      if (command === 'rollback' && verdict.kind === 'interrupted')
        wrong('it says that nothing is left of the version that failed');
      if (!isExact) wrong('it says that the run failed');
      break;
    case 4:
      if (!mayBeCutOff && (verdict.kind !== 'interrupted' || !isExact)) wrong('it says that the run was interrupted');
      if (mayBeCutOff && command === 'rollback' && gone.size > claimed.length + 1)
        wrong('more is gone than it can have doubts about');
      break;
    default:
      wrong(`exit code ${ending.code}`);
  }
}

function parse({ stdout }: Ending): Report | undefined {
  try {
    return JSON.parse(stdout) as Report;
  } catch {
    return undefined;
  }
}

export function errorOf(ending: Ending): string | undefined {
  return parse(ending)?.error?.code;
}

/** The state that a fault left, in the words of a summary. */
export function outcomeOf(verdict: Verdict, model: Model): string {
  if (verdict.kind === 'interrupted') return 'interrupted';
  if (verdict.versions === 0) return 'before';
  return verdict.versions < model.versions.length ? 'after a version' : 'after all versions';
}

export function place(verdict: Verdict): string {
  return verdict.kind === 'after'
    ? `after ${verdict.versions} versions`
    : `interrupted after ${verdict.versions} versions and ${verdict.statements} statements`;
}

export function words({ code, stdout, stderr }: Ending): string {
  const error = /"code":\s*"([^"]*)",\s*"message":\s*"((?:[^"\\]|\\.)*)"/.exec(stdout);
  return `exit code ${code}${error === null ? '' : `, ${error[1]}: ${error[2]}`}\n${stderr.trim()}`;
}

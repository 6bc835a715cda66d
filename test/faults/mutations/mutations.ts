import { unknowable } from '../fixture.js';
import type { Change } from './build.js';
import {
  cutsAround,
  historyChangesWhileWaiting,
  interruptedIndex,
  migrateComesDuringScript,
  refusedOpening,
  rollbackWhileMigrateWorks,
  unmetVerification,
  versionWithSeveralRows,
  type Scenario,
} from './scenarios.js';

/** A flyback that is broken in one place, and the scenario that must notice it. */
export interface Mutation {
  readonly title: string;
  readonly changes: readonly Change[];
  readonly scenario: keyof typeof scenarios;
}

/** Statements of the version that runs one by one: one in a transaction, one that can be looked up, and one that cannot. */
const statements = ['DROP INDEX CONCURRENTLY customers_city', `VALUES ('index of names back')`, unknowable];

export const scenarios = {
  'cuts at each commit': cutsAround('transactional', (message) => message.includes('COMMIT')),
  'cuts at statements without a transaction': cutsAround('mixed', (message) =>
    statements.some((statement) => message.includes(statement)),
  ),
  'an opening that the server refuses': refusedOpening,
  'a rollback while a migrate works': rollbackWhileMigrateWorks,
  'a migrate that comes during the script': migrateComesDuringScript,
  'a history that changes while the lock is waited for': historyChangesWhileWaiting,
  'a version with several rows': versionWithSeveralRows,
  'a verification that is not met': unmetVerification,
  'an index that was interrupted': interruptedIndex,
} as const satisfies Readonly<Record<string, Scenario>>;

const runSql = 'adapters/databases/postgresql/run-sql.ts';
const journalled = 'src/run/run-journalled-step.ts';

export const mutations: readonly Mutation[] = [
  {
    title: "the migration tool's lock is skipped",
    changes: [
      {
        file: runSql,
        piece: 'tryToolLock: ({ keys }: ToolLock) => `SELECT ${tryForTransaction(keys)}`',
        by: 'tryToolLock: () => `SELECT true`',
      },
      {
        file: runSql,
        piece: 'keepToolLock: ({ keys }: ToolLock) => `SELECT ${tryForSession(keys)}`',
        by: 'keepToolLock: () => `SELECT true`',
      },
      {
        file: runSql,
        piece: 'require(`${tryForTransaction(lock.keys)}${holdsFlag(lock)}`, guardMarks.lockLost)',
        by: 'require(`true`, guardMarks.lockLost)',
      },
    ],
    scenario: 'a rollback while a migrate works',
  },
  {
    title: 'the history table is not locked',
    changes: [{ file: runSql, piece: '`LOCK TABLE ${qualified(history)} IN ACCESS EXCLUSIVE MODE`', by: '`SELECT 1`' }],
    scenario: 'a migrate that comes during the script',
  },
  {
    title: 'the history is not compared again under the lock',
    changes: [
      {
        file: 'src/run/open-transaction.ts',
        piece: 'if (now === toolbox.history.interpret(table, expected).fingerprint) return;',
        by: 'return;',
      },
    ],
    scenario: 'a history that changes while the lock is waited for',
  },
  {
    title: 'the history row is deleted by the text of its version',
    changes: [
      {
        file: 'adapters/histories/flyway/table.ts',
        piece: 'return database.sql.rows.remove(table, identity(entry));',
        by: "return database.sql.rows.remove(table, [{ column: 'version', value: entry.versionText }]);",
      },
    ],
    scenario: 'a version with several rows',
  },
  {
    title: 'the record is written after the commit',
    changes: [
      {
        file: 'src/run/run-plan.ts',
        piece: `        commands: [
          this.#texts.repeated(`,
        by: `        commands: [
          { sql: sql.commit },
          { sql: 'BEGIN' },
          this.#texts.repeated(`,
      },
    ],
    scenario: 'cuts at each commit',
  },
  {
    title: 'what became of a commit is not asked',
    changes: [
      {
        file: 'src/run/aftermath.ts',
        piece: 'export async function wasCommitted(request: RunRequest, hash: string): Promise<Committed> {',
        by: 'export async function wasCommitted(request: RunRequest, hash: string): Promise<Committed> { return { answer: false };',
      },
    ],
    scenario: 'cuts at each commit',
  },
  {
    title: 'the script is sent in messages that stand alone',
    changes: [
      {
        file: 'src/run/run-step.ts',
        piece: 'const answering = session.batch(timely<Command>([...first, ...part.messages]), (index, result) => {',
        by: `const answering = (async (all, onAnswer) => {
          const outcomes = await Promise.all(all.map((one, at) => session.batch([one], (_, result) => onAnswer(at, result))));
          const index = outcomes.findIndex(({ failure }) => failure !== undefined);
          return { failure: index < 0 ? undefined : { index, error: outcomes[index].failure.error } };
        })(timely([...first, ...part.messages]), (index, result) => {`,
      },
    ],
    scenario: 'an opening that the server refuses',
  },
  {
    title: 'verified after the commit',
    changes: [
      {
        file: 'src/run/step-messages.ts',
        piece: '    ...script.verifications.map(',
        by: `    { kind: 'after', sql: 'COMMIT' }, { kind: 'after', sql: 'BEGIN' },
    ...script.verifications.map(`,
      },
    ],
    scenario: 'a verification that is not met',
  },
  {
    title: 'the journal tells of a statement only afterwards',
    changes: [
      {
        file: journalled,
        piece: `    return [
      sql.beginOwn(session.facts, ownLockWaitMs),`,
        by: `    entries = entries.filter(({ event }) => event !== 'started');
    return [
      sql.beginOwn(session.facts, ownLockWaitMs),`,
      },
    ],
    scenario: 'cuts at statements without a transaction',
  },
  {
    title: 'the journal tells of the end of a statement before it runs',
    changes: [
      {
        file: journalled,
        piece: '    const sent = await this.#request.session.pipeline([statement.text]);',
        by: `    await this.#markFinished(index, null, 0);
    const sent = await this.#request.session.pipeline([statement.text]);`,
      },
    ],
    scenario: 'cuts at statements without a transaction',
  },
  {
    title: 'the history row is removed at the beginning instead of marked',
    changes: [
      {
        file: journalled,
        piece: '...this.#marking(step.entry, false)],',
        by: '{ sql: toolbox.history.removeRow(toolbox.database, plan.history.table, step.entry) }],',
      },
    ],
    scenario: 'cuts at statements without a transaction',
  },
  {
    title: 'resume runs what has finished again',
    changes: [
      {
        file: journalled,
        piece: '    for (const finished of open.finished) this.#keep(finished.statement, finished);',
        by: '',
      },
    ],
    scenario: 'cuts at statements without a transaction',
  },
  {
    title: 'an invalid index is not repaired',
    changes: [{ file: journalled, piece: '      await this.#repair(found.repair);', by: '' }],
    scenario: 'an index that was interrupted',
  },
];

import * as fs from 'node:fs/promises';
import path from 'node:path';
import { describeHistory, type HistoryFixture } from '../../conformance/history.js';
import { describeWithFlyway } from '../../harness/flyway/flyway.js';
import { createProject, type CommandResult } from '../../harness/project.js';

/** Flyway runs in a process that the test file keeps; a command's end is what became of the promise. */
async function asCommand(work: Promise<unknown>): Promise<CommandResult> {
  return work.then(
    () => ({ code: 0, stdout: '', stderr: '' }),
    (error: unknown) => ({ code: 1, stdout: '', stderr: String(error) }),
  );
}

const fixture: HistoryFixture = {
  name: 'Flyway',
  ownTables: ['flyway_schema_history'],
  hasDown: false,
  holes: true,
  meanwhile: 'waits',
  onMysql: { meanwhile: 'refuses', halfWay: 'refuses' },
  create: async (database, migrations) => {
    const versions = migrations.map(({ up, down }, index) => ({ version: String(index + 1), up, down }));
    const project = await createProject({ database, versions });
    return {
      folder: project.folder,
      up: () => asCommand(project.flyway().migrate()),
      down: () => Promise.reject(new Error('Flyway Community has no undo.')),
      applied: async () =>
        (await project.flyway().info()).flatMap(({ version, state }) =>
          state === 'Success' || state === 'Out of Order' ? [Number(version)] : [],
        ),
      version: String,
      writeRollback: (number, sql) =>
        fs.writeFile(path.join(project.folder, 'rollbacks', `R${String(number)}__step.sql`), sql),
      start: (commandLine) => project.start(commandLine),
      remove: () => project.remove(),
    };
  },
};

describeWithFlyway('the history of Flyway', () => {
  describeHistory(fixture, { everyMajor: true });
});

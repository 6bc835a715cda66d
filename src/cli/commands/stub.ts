import path from 'node:path';
import { loadProjectConfig, readFilesOnly, withProject } from '../../compose/open-project.js';
import { exitCodes, FlybackError } from '../../errors/error.js';
import { count } from '../output/numbers.js';
import type { Project } from '../../project/project.js';
import { makeStubs, writeStubs } from '../../stub/stub-versions.js';
import { out, outJson, progress, type CommandContext } from '../command.js';

/** flyback stub: commented templates; the database is asked only where one is configured and answers. */
export async function runStub(
  context: CommandContext,
  versions: readonly string[],
  flags: { readonly missing?: true; readonly stdout?: true },
): Promise<number> {
  if ((versions.length === 0) === (flags.missing === undefined)) {
    throw new FlybackError('usage-invalid', 'Name the versions, or give --missing for all that lack a rollback.', {
      hint: 'For example: flyback stub 42',
    });
  }
  const config = await loadProjectConfig(context.open);
  const make = async (project: Project): Promise<number> => {
    const stubs = await makeStubs(project, flags.missing === true ? 'missing' : versions);
    if (flags.stdout !== true) await writeStubs(stubs);
    if (context.json) outJson(stubs);
    else if (flags.stdout === true) for (const stub of stubs) out(stub.text);
    else {
      for (const stub of stubs) out(`wrote ${path.relative(process.cwd(), stub.file)}`);
      progress(
        stubs.length === 0
          ? 'Every version has a rollback script.'
          : `${count(stubs.length, 'stub')}; fill in, then remove the line "-- flyback: stub".`,
      );
    }
    return exitCodes.done;
  };
  if (config.connection === undefined) return make(await readFilesOnly(context.open));
  try {
    return await withProject(context.open, make);
  } catch (error) {
    if (!(error instanceof FlybackError) || !['connection-failed', 'history-missing'].includes(error.code)) throw error;
    progress(`The database cannot be asked (${error.message}); going by the migration files.`);
    return make(await readFilesOnly(context.open));
  }
}

import { connect, withProject } from '../../compose/open-project.js';
import { exitCodes, FlybackError } from '../../errors/error.js';
import type { ConnectedProject } from '../../project/project.js';
import { abandon, planResume, resume, type BuiltResume } from '../../run/resume.js';
import { out, outJson, progress, type CommandContext } from '../command.js';
import { ask, confirmDatabase } from '../confirm.js';
import { mustAsk } from '../must-ask.js';
import { errorJson, errorText } from '../output/error-text.js';
import { resumeText } from '../output/resume-text.js';
import { progressWriter, runText } from '../output/run-text.js';
import type { ResumeFlags } from '../program.js';

/** flyback resume: shows how far an interrupted rollback came, asks, and carries it on. */
export async function runResume(context: CommandContext, flags: ResumeFlags): Promise<number> {
  const assume = readAssume(flags.assume);
  return withProject(context.open, async (project, config) => {
    if (flags.abandon === true) return close(context, flags, project);
    const found = await planResume(project);
    if (found === undefined) return nothing(context);
    progress(resumeText(found.plan, process.stderr));
    const isAsking = mustAsk(
      flags.yes === true,
      'What is left of an interrupted rollback destroys as the rest did',
      'Read what is printed above, then give --yes.',
    );
    const decided = assume ?? (isAsking ? await askAboutOpen(found, context.signal) : undefined);
    if (isAsking) {
      await confirmDatabase('Carry it on?', project.session.facts.databaseName, context.signal);
    }
    const result = await resume(project, found, {
      assume: decided,
      changedScript: flags.changedScript === true || isAsking,
      reason: flags.reason,
      signal: context.signal,
      onEvent: progressWriter(process.stderr),
      reconnect: () => connect(config),
    });
    if (context.json) {
      const { failure, ...rest } = result;
      outJson({ ...rest, resumed: found.plan, ...(failure === undefined ? {} : errorJson(failure)) });
    } else {
      out(runText(result, process.stdout));
    }
    if (result.failure === undefined) return exitCodes.done;
    progress(errorText(result.failure, process.stderr));
    return result.failure.exitCode;
  });
}

function nothing(context: CommandContext): number {
  if (context.json) outJson({ outcome: 'nothing-interrupted' });
  else out('Nothing is interrupted: there is nothing to resume.');
  return exitCodes.done;
}

function readAssume(text: string | undefined): 'done' | 'not-done' | undefined {
  if (text === undefined || text === 'done' || text === 'not-done') return text;
  throw new FlybackError('usage-invalid', `--assume takes done or not-done, not "${text}".`, {
    hint: 'Look at the database first: flyback resume says what it cannot know.',
  });
}

async function askAboutOpen(found: BuiltResume, signal: AbortSignal): Promise<'done' | 'not-done' | undefined> {
  if (found.plan.interrupted?.state !== 'unknown') return undefined;
  const answer = await ask(
    '\nLook at the database: did the interrupted statement do its work? Type done, or not-done to run it again: ',
    signal,
  );
  return answer === 'done' || answer === 'not-done' ? answer : undefined;
}

async function close(context: CommandContext, flags: ResumeFlags, project: ConnectedProject): Promise<number> {
  const isAsking = mustAsk(
    flags.yes === true,
    'An abandoned rollback stays half done',
    'Make sure that somebody has put things right by hand, then give --yes.',
  );
  if (isAsking) {
    await confirmDatabase(
      'Close the interrupted rollback without finishing it?',
      project.session.facts.databaseName,
      context.signal,
    );
  }
  const closed = await abandon(project, {
    reason: flags.reason,
    signal: context.signal,
    onEvent: progressWriter(process.stderr),
  });
  if (closed === undefined) return nothing(context);
  if (context.json) outJson({ outcome: 'abandoned', ...closed });
  else {
    out(
      `Closed the interrupted rollback of version ${closed.version}; nothing was run. Its history row stays as it is: flyback status shows it.\n  record ${closed.recordHash}`,
    );
  }
  return exitCodes.done;
}

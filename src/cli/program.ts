import { Command, CommanderError, Option } from 'commander';
import packageJson from '../../package.json' with { type: 'json' };
import { debugVariable, options, type OptionName } from '../config/options.js';
import { exitCodes, FlybackError } from '../errors/error.js';
import { openOptions, out, type CommandContext } from './command.js';
import { errorJson, errorText } from './output/error-text.js';

const optionTexts: Readonly<Record<OptionName, string>> = {
  tool: 'migration tool of the project (default: the one whose files are there)',
  rollbacks: 'folder with the R<version>__*.sql scripts (default: rollbacks)',
  templates: 'folder with your own stub templates',
  passwordEnv: 'name of the variable that holds the password',
  recordSchema: 'schema of the record table (default: that of the history)',
  recordTable: 'name of the record table (default: flyback_record)',
  lockTimeout: 'longest wait for one lock (default: 5s; 0: no limit)',
  statementTimeout: "longest run of one statement (default: the role's own)",
  lockRetries: 'how often a step is tried again after a lock timeout (default: 3)',
  lockRetryPause: 'pause before such a try (default: 2s)',
  concurrentWait: 'longest wait of a CONCURRENTLY statement for older transactions (default: 10min)',
  toolLockWait: "longest wait for the migration tool's own lock (default: 50s)",
  triggers: 'replica, disable or keep (default: replica where the role may, else disable)',
  maxRisk: 'highest risk that passes an audit without approval (default: critical)',
  ignore: 'finding codes that an audit only mentions, comma separated',
  passes: 'grades with which a proof passes, comma separated (default: exact,column-order,loss-declared)',
  requireProof:
    'what to do about a rollback without a proof: off, warn or stop (default: warn where there is flyback.lock)',
  sameMajor: "true: only a proof made on the target's major version counts (default: false)",
  drift: 'what to do when the target is not as the proof saw it: off, warn or stop (default: warn)',
  scratch: 'server on which databases for proofs are made, docker or docker:IMAGE (default: one that flyback starts)',
  proofTimeout: 'bound on each statement in proofs, 0: none (default: 1min)',
  fixtures: 'folder with F<version>__*.sql files: rows for proofs',
  url: 'database URL, jdbc:postgresql://… or postgresql://…',
  user: 'database user',
  environment: "the migration tool's environment (flyway.toml)",
  schemas: "the migration tool's schemas",
  defaultSchema: 'schema of the history table',
  table: 'name of the history table',
  locations: 'where the migrations are',
  loadCode: "true: the migration tool's configuration may be code that flyback runs",
  configFiles: 'more configuration files of the migration tool',
  workingDirectory: "the migration tool's working directory",
};

const description = `Takes a database back when its migration history only goes forward.

Exit codes: 0 done; 1 findings, a refused plan or a failed verification (nothing of that version changed); \
2 usage, configuration or connection; 3 a run failed and its version was rolled back; 4 a run was interrupted between statements and needs flyback resume, or the outcome of a commit is unknown.`;

/** Runs one command line; resolves to the exit code. Never throws. */
export async function runProgram(commandLine: readonly string[]): Promise<number> {
  const stop = new AbortController();
  const onSignal = (): void => {
    if (stop.signal.aborted) return;
    process.stderr.write('\nstopping: cancelling the statement and rolling back …\n');
    stop.abort();
  };
  process.once('SIGINT', onSignal);
  process.once('SIGTERM', onSignal);
  // A terminal that closes says so more than once (the kernel and the shell), and the second must not end us in mid-cancel.
  process.on('SIGHUP', onSignal);
  const isJson = commandLine.includes('--json');
  let exitCode: number = exitCodes.done;
  const run = async (work: () => Promise<number>): Promise<void> => {
    exitCode = await work();
  };
  try {
    await createProgram(stop.signal, run).parseAsync([...commandLine], { from: 'user' });
    return exitCode;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.done : exitCodes.usage;
    const known = error instanceof FlybackError ? error : await internalError(error);
    if (isJson) out(JSON.stringify(errorJson(known), null, 2));
    process.stderr.write(`${errorText(known, process.stderr)}\n`);
    return known.exitCode;
  } finally {
    process.removeListener('SIGINT', onSignal);
    process.removeListener('SIGTERM', onSignal);
    process.removeListener('SIGHUP', onSignal);
  }
}

/** A fault of flyback itself: no stack trace on the screen, but a way to get one. */
async function internalError(error: unknown): Promise<FlybackError> {
  const { redact } = await import('../config/redact.js');
  if (process.env[debugVariable] !== undefined && error instanceof Error) {
    process.stderr.write(`${redact(error.stack ?? '', [])}\n`);
  }
  const message = redact(error instanceof Error ? error.message : String(error), []);
  return new FlybackError('internal', `flyback itself failed: ${message}`, {
    hint: 'Set FLYBACK_DEBUG=1 for the stack trace, and report it. An open transaction was rolled back by the server.',
  });
}

type Run = (work: () => Promise<number>) => Promise<void>;

/** The command line as commander knows it; the reference in docs/cli.md is made from it. Runs nothing by itself. */
export function createProgram(signal: AbortSignal, run: Run): Command {
  const program = new Command('flyback')
    .description(description)
    .version(packageJson.version, '-V, --version')
    .exitOverride()
    .configureHelp({ showGlobalOptions: true })
    .showHelpAfterError('(flyback --help lists commands and options)')
    .option('--project <folder>', 'folder of the project (default: the current one)')
    .option('--json', 'print data as JSON');
  for (const name of Object.keys(options) as OptionName[]) {
    const { flag, variable } = options[name];
    program.addOption(new Option(`${flag} <value>`, `${optionTexts[name]} [${variable}]`));
  }
  const context = (command: Command): CommandContext => {
    const all = command.optsWithGlobals();
    return { open: openOptions(all), json: all['json'] === true, signal };
  };
  const withTarget = (command: Command): Command =>
    command
      .addOption(
        new Option('--steps <number>', 'take back the newest N versions (default: 1)').conflicts(['to', 'all', 'only']),
      )
      .addOption(
        new Option('--to <version>', 'take back everything above VERSION, which stays applied').conflicts([
          'all',
          'only',
        ]),
      )
      .addOption(
        new Option('--only <version>', 'take back this version alone, also from the middle').conflicts(['all']),
      )
      .option('--all', 'take back everything above the baseline')
      .option('--single-transaction', 'one transaction for all versions instead of one for each');

  program
    .command('init')
    .description('find the migration tool and write a minimal flyback.toml and the rollbacks folder')
    .action(async (_options: unknown, command: Command) =>
      run(async () => (await import('./commands/init.js')).runInit(context(command))),
    );
  program
    .command('status')
    .description('the history with pairs: version, state, rollback, risk, proof')
    .action(async (_options: unknown, command: Command) =>
      run(async () => (await import('./commands/status.js')).runStatus(context(command))),
    );
  program
    .command('audit')
    .description('which versions have no rollback worth the name; exit code 1 when there are any')
    .option('--offline', 'look at the files only, ask no database')
    .action(async (own: { offline?: true }, command: Command) =>
      run(async () => (await import('./commands/audit.js')).runAudit(context(command), own)),
    );
  withTarget(
    program.command('plan').description('what a rollback would do; with --json a plan that rollback --plan runs'),
  ).action(async (own: TargetFlags, command: Command) =>
    run(async () => (await import('./commands/plan.js')).runPlanCommand(context(command), own)),
  );
  withTarget(program.command('rollback').description('take versions back, verified before commit'))
    .addOption(
      new Option('--plan <file>', 'run exactly this stored plan, or refuse').conflicts([
        'steps',
        'to',
        'all',
        'only',
        'singleTransaction',
        'triggers',
      ]),
    )
    .option('--dry-run', 'do all of it in one transaction and roll it back')
    .addOption(
      new Option('--cancel-blockers', 'show and end the sessions that hold what the rollback needs').conflicts(
        'dryRun',
      ),
    )
    .option('--reason <text>', 'why; kept in the record')
    .option('-y, --yes', 'do not ask')
    .action(async (own: RollbackFlags, command: Command) =>
      run(async () => (await import('./commands/rollback.js')).runRollback(context(command), own)),
    );
  program
    .command('resume')
    .description('finish, or explain, an interrupted rollback that ran without a transaction')
    .option('--assume <state>', 'done or not-done: what the interrupted statement came to, where nothing tells flyback')
    .option('--changed-script', 'go on although the script was changed; what has finished must be the same')
    .addOption(
      new Option('--abandon', 'close it without running anything, after it was put right by hand').conflicts([
        'assume',
        'changedScript',
      ]),
    )
    .option('--reason <text>', 'why; kept in the record')
    .option('-y, --yes', 'do not ask')
    .action(async (own: ResumeFlags, command: Command) =>
      run(async () => (await import('./commands/resume.js')).runResume(context(command), own)),
    );
  program
    .command('verify')
    .description('run the verification queries alone (default: those of the newest rollback)')
    .argument('[versions...]')
    .action(async (versions: string[], _options: unknown, command: Command) =>
      run(async () => (await import('./commands/verify.js')).runVerify(context(command), versions)),
    );
  program
    .command('prove')
    .description('apply, take back and compare in a scratch database (default: what is not proven, or not any more)')
    .argument('[versions...]')
    .addOption(new Option('--all', 'every version with a rollback, proven or not').conflicts(['since']))
    .addOption(new Option('--since <revision>', 'versions whose files changed since this git revision'))
    .addOption(
      new Option('--check', 'prove again and compare with flyback.lock; writes nothing, exit code 1 on a difference'),
    )
    .addOption(new Option('--no-write', 'leave flyback.lock as it is'))
    .action(async (versions: string[], own: ProveFlags, command: Command) =>
      run(async () => (await import('./commands/prove.js')).runProve(context(command), versions, own)),
    );
  program
    .command('stub')
    .description('write a commented rollback template for a version')
    .argument('[versions...]')
    .option('--missing', 'for every version that lacks a rollback')
    .option('--stdout', 'print instead of writing files')
    .action(async (versions: string[], own: { missing?: true; stdout?: true }, command: Command) =>
      run(async () => (await import('./commands/stub.js')).runStub(context(command), versions, own)),
    );
  program
    .command('log')
    .description('the record: every run, dry and failed ones too')
    .option('--verify', 'recompute the chain of hashes; exit code 1 when it is broken')
    .option('--expect <hash>', 'with --verify: an entry with this hash must be there')
    .option('--limit <number>', 'the newest N entries (default: 20; 0: all)')
    .action(async (own: { verify?: true; expect?: string; limit?: string }, command: Command) =>
      run(async () => (await import('./commands/log.js')).runLog(context(command), own)),
    );
  program
    .command('doctor')
    .description('what stands in the way of a rollback: connection, rights, pooler, set-up; exit code 1 on a problem')
    .action(async (_options: unknown, command: Command) =>
      run(async () => (await import('./commands/doctor.js')).runDoctor(context(command))),
    );
  program
    .command('demo')
    .description('the whole story on an embedded database, with nothing installed')
    .option('--keep <folder>', 'leave the demo project in this new folder')
    .action(async (own: { keep?: string }, command: Command) =>
      run(async () => (await import('./commands/demo.js')).runDemoCommand(context(command), own)),
    );
  return program;
}

export interface TargetFlags {
  readonly steps?: string;
  readonly to?: string;
  readonly only?: string;
  readonly all?: true;
  readonly singleTransaction?: true;
}

export interface RollbackFlags extends TargetFlags {
  readonly plan?: string;
  readonly dryRun?: true;
  readonly cancelBlockers?: true;
  readonly reason?: string;
  readonly yes?: true;
}

export interface ProveFlags {
  readonly all?: true;
  readonly since?: string;
  readonly check?: true;
  /** False with --no-write. */
  readonly write: boolean;
}

export interface ResumeFlags {
  readonly assume?: string;
  readonly changedScript?: true;
  readonly abandon?: true;
  readonly reason?: string;
  readonly yes?: true;
}

import type { Command } from 'commander';
import { format, resolveConfig } from 'prettier';
import { createProgram } from '../../src/cli/program.js';
import { type OptionKind, options, passwordVariable } from '../../src/config/options.js';

/*
 * The text of docs/cli.md, made from the command line itself: the help of each command, and the table of settings.
 */

/** One command line for each command, with the sentence before it. Every option in them must exist. */
const examples: Readonly<Record<string, readonly [string, string]>> = {
  init: ['In the folder with flyway.toml or flyway.conf:', 'flyback init'],
  status: ['Of a project in another folder, for a script:', 'flyback status --project services/billing --json'],
  audit: ['In CI, before there is any database:', 'flyback audit --offline --max-risk medium'],
  plan: ['Store a plan for review:', 'flyback plan --to 6 --json > plan.json'],
  rollback: [
    'Run exactly the plan that was reviewed:',
    'flyback rollback --plan plan.json --reason "INC-7: totals are wrong" --yes',
  ],
  resume: ['Finish what was interrupted, in a script that cannot be asked:', 'flyback resume --yes'],
  verify: ['Two versions by name, whether taken back by flyback or not:', 'flyback verify 10 9'],
  prove: ['Two versions of a pull request:', 'flyback prove 11 12'],
  stub: ['For every version that has none:', 'flyback stub --missing'],
  log: [
    'Is the record whole, and does it still hold the entry that was noted down?',
    'flyback log --verify --expect 3acc57b6…',
  ],
  doctor: ['Before the night on which it is needed:', 'flyback doctor --environment prod'],
  demo: ['Of a project of another tool, kept to look around in it:', 'flyback demo --tool knex --keep ./flyback-demo'],
};

const kinds: Readonly<Record<OptionKind, string>> = {
  text: 'text',
  path: 'folder',
  duration: '`500ms`, `5s`, `2min`, `1h`; `0`: no limit',
  count: '0 to 9999',
  triggers: '`replica`, `disable`, `keep`',
  risk: '`none`, `minimal`, `low`, `medium`, `high`, `critical`',
  codes: 'finding codes; a list in the file, commas elsewhere',
  tool: '`flyway`',
  variable: 'name of a variable',
  grades: '[grades](proofs.md#grades); a list in the file, commas elsewhere',
  policy: '`off`, `warn`, `stop`',
  switch: '`true`, `false`',
};

/** The whole page, formatted as the rest of the repository. */
export async function makeCliPage(file: string): Promise<string> {
  const program = createProgram(new AbortController().signal, () => Promise.resolve());
  const text = [
    '# Command line',
    'Made from `flyback --help` by `npm run docs:cli`; do not edit. Data goes to stdout, progress and errors to stderr. With `--json` errors are JSON on stdout too.',
    '## Exit codes',
    exitCodeTable,
    'The codes of single errors are in [errors.md](errors.md), those of findings in [findings.md](findings.md).',
    '## flyback',
    block('text', helpOf(program)),
    ...program.commands.flatMap((command) => sectionOf(command)),
    '## Settings',
    'A flag beats its variable, the variable beats flyback.toml, and that beats the default. [configuration.md](configuration.md) tells more.',
    ['| flag | variable | flyback.toml | value |', '| --- | --- | --- | --- |', ...settingRows()].join('\n'),
    `The password itself has no flag and no key: it comes from \`${passwordVariable}\`, from the variable that \`--password-env\` names, or from Flyway's configuration.`,
  ].join('\n\n');
  return format(text, { ...(await resolveConfig(file)), filepath: file });
}

/** Names of all commands, as the program has them. */
export function commandNames(): readonly string[] {
  return createProgram(new AbortController().signal, () => Promise.resolve()).commands.map((command) => command.name());
}

/** Every flag that some command takes, with its dashes. */
export function knownFlags(): ReadonlySet<string> {
  const program = createProgram(new AbortController().signal, () => Promise.resolve());
  const flags = [program, ...program.commands].flatMap((command) =>
    command.options.flatMap((option) => [option.short, option.long]),
  );
  return new Set(['--help', '-h', ...flags.filter((flag) => flag !== undefined)]);
}

const exitCodeTable = `| code | meaning | what has changed |
| --- | --- | --- |
| 0 | done | what was asked for |
| 1 | findings, a refused or outdated plan, a failed verification | nothing; after a failed verification nothing of that version |
| 2 | usage, configuration, connection or privilege | nothing |
| 3 | a run failed and was rolled back | nothing of the version that failed |
| 4 | a version that runs without a transaction was interrupted: \`flyback resume\` | a part of that version; nothing more until it is finished |

Exit code 4 with the error \`commit-unknown\` is another matter: the connection broke during a commit and the server cannot be asked what became of it; all of that version has happened, or nothing of it.

A run over several versions commits each by itself unless \`--single-transaction\` is given: those before the one that failed stay taken back, and are named.`;

function sectionOf(command: Command): readonly string[] {
  const [sentence, line] = examples[command.name()] ?? [];
  if (sentence === undefined || line === undefined)
    throw new Error(`docs/cli.md needs an example of ${command.name()}.`);
  return [`## flyback ${command.name()}`, block('text', helpOf(command)), sentence, block('sh', line)];
}

/** As the terminal shows it, without the options that all commands share. */
function helpOf(command: Command): string {
  command.configureOutput({ getOutHelpWidth: () => 80 });
  return command.helpInformation().split('\nGlobal Options:')[0]?.trimEnd() ?? '';
}

function block(language: string, text: string): string {
  return `\`\`\`${language}\n${text}\n\`\`\``;
}

function settingRows(): readonly string[] {
  return Object.values(options).map(
    ({ flag, variable, key, kind }) =>
      `| \`${flag}\` | \`${variable}\` | ${(key as string | undefined) === undefined ? "– (Flyway's own)" : `\`${key}\``} | ${kinds[kind]} |`,
  );
}

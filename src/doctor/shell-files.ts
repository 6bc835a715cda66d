import { readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import type { Finding } from '../errors/finding.js';

/** A script of the project that people run beside the rollbacks. */
export interface ShellFile {
  readonly file: string;
  readonly text: string;
}

const shellName = /^(?:.*\.(?:sh|bash|mk)|(?:gnu)?makefile)$/i;
/** Longer files are not what a person writes to roll back. */
const readableBytes = 1024 * 1024;

/** Shell scripts and Makefiles in the project's folder and anywhere below the rollbacks folder. Never throws. */
export function findShellFiles(projectFolder: string, rollbacksFolder: string): readonly ShellFile[] {
  const files = [...namesIn(projectFolder, false), ...namesIn(rollbacksFolder, true)];
  return [...new Set(files)].toSorted().flatMap((file): readonly ShellFile[] => {
    try {
      return statSync(file).size > readableBytes ? [] : [{ file, text: readFileSync(file, 'utf8') }];
    } catch {
      return [];
    }
  });
}

function namesIn(folder: string, recursive: boolean): readonly string[] {
  try {
    return readdirSync(folder, { withFileTypes: true, recursive })
      .filter((entry) => entry.isFile() && shellName.test(entry.name))
      .map((entry) => path.join(entry.parentPath, entry.name));
  } catch {
    return [];
  }
}

/** golang-migrate: force sets the version and runs no SQL. */
const forced = /\bmigrate\b[^|;&#]*\sforce\s+\S+/;
const listing = /\bpg_restore\b(?=[^|;&#]*\s(?:-l\b|--list\b))[^|;&#]*/;
/** pg_dump's formats that pg_restore can read; without one, a dump is plain SQL. */
const archiveFormat = /(?:\s-F\s*|\s--format[=\s]\s*)["']?(?:c|d|t|custom|directory|tar)\b/;

/** What these scripts believe of rollbacks and backups that is not so. Pure. */
export function shellMistakes(files: readonly ShellFile[]): readonly Finding[] {
  return files.flatMap(({ file, text }) => {
    const findings: Finding[] = [];
    const variables = new Map<string, string>();
    const plainDumps = new Set<string>();
    for (const { line, words, lineText } of commandsOf(text)) {
      const assigned = /^\s*(?:export\s+|readonly\s+|local\s+)?(\w+)\s*[:?]?=\s*(.*?)\s*$/.exec(words);
      if (assigned !== null) variables.set(assigned[1] ?? '', withValues(assigned[2] ?? '', variables));
      const command = withValues(words, variables);
      const location = { file, line, column: lineText.length - lineText.trimStart().length + 1, lineText };
      if (forced.test(command)) {
        findings.push({
          code: 'shell-force-version',
          severity: 'warning',
          subject: file,
          message: `Line ${line} of ${path.basename(file)} sets the version by force: it runs no SQL, so nothing is rolled back.`,
          hint: 'Roll back with flyback rollback --to VERSION, which runs the scripts.',
          location,
        });
      }
      for (const dump of plainDumpsOf(command)) plainDumps.add(dump);
      const listed = listing.exec(command)?.[0];
      if (listed !== undefined && (/\.sql\b/i.test(listed) || [...plainDumps].some((dump) => listed.includes(dump)))) {
        findings.push({
          code: 'shell-plain-dump-listed',
          severity: 'warning',
          subject: file,
          message: `Line ${line} of ${path.basename(file)} gives a plain SQL dump to pg_restore, which reads none: this check of the backup always fails, or its failure is passed over.`,
          hint: 'Dump with pg_dump -Fc, whose contents pg_restore --list can show; a plain dump is only proven by restoring it into an empty database.',
          location,
        });
      }
    }
    return findings;
  });
}

/** Names of files that pg_dump writes as plain SQL in this command. */
function plainDumpsOf(command: string): readonly string[] {
  const dump = /\bpg_dump(?:all)?\b[^|;&]*/.exec(command)?.[0];
  if (dump === undefined || archiveFormat.test(dump)) return [];
  const target = /(?:>\s*|\s-f\s*|\s--file[=\s]\s*)["']?([^\s"'>]+)/.exec(dump)?.[1];
  return target === undefined ? [] : [target];
}

/** Lines joined where they end with a backslash, without comments; `line` is the first one's number. */
function commandsOf(
  text: string,
): readonly { readonly line: number; readonly words: string; readonly lineText: string }[] {
  const lines = text.split(/\r\n|\r|\n/);
  const commands: { line: number; words: string; lineText: string }[] = [];
  let open: { line: number; words: string; lineText: string } | undefined;
  for (const [index, lineText] of lines.entries()) {
    const words = lineText.replace(/(^|\s)#.*$/, '$1');
    const current = open ?? { line: index + 1, words: '', lineText };
    const continues = words.endsWith('\\');
    current.words += continues ? `${words.slice(0, -1)} ` : words;
    open = continues ? current : undefined;
    if (!continues) commands.push(current);
  }
  return open === undefined ? commands : [...commands, open];
}

/** $NAME, ${NAME} and $(NAME) of Make by what the file itself assigned to them. */
function withValues(text: string, variables: ReadonlyMap<string, string>): string {
  return text
    .replaceAll(
      /\$(?:\{(\w+)\}|\((\w+)\)|(\w+))/g,
      (whole, braces: string, make: string, bare: string) => variables.get(braces || make || bare) ?? whole,
    )
    .replaceAll(/["']/g, '');
}

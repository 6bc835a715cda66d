import type { ChildProcess } from 'node:child_process';

/*
 * What all processes have in common that run code of the project: nothing that the code says may become flyback's words, for
 * it may hold secrets, and nothing that it starts may outlive its process.
 */

/** An error of the project's code, as far as it may be told. */
export interface CodeFailure {
  readonly name: string;
  readonly code: string;
  /** In the file that was asked for. */
  readonly line?: string | undefined;
  /** The module that was not found. */
  readonly missing?: string | undefined;
}

/** Defines failureOf(error, file) in the process: a CodeFailure. */
export const failureSource = String.raw`
const failureOf = (error, file) => {
  const { realpathSync } = process.getBuiltinModule('node:fs');
  const { pathToFileURL } = process.getBuiltinModule('node:url');
  const paths = [file];
  try {
    paths.push(realpathSync(file));
  } catch {}
  const stack = String(error?.stack ?? '');
  const lines = [...paths, ...paths.map((path) => pathToFileURL(path).href)].flatMap((name) => {
    const at = stack.indexOf(name + ':');
    return at < 0 ? [] : [/^\d+/.exec(stack.slice(at + name.length + 1))?.[0]];
  });
  const missing = /^(?:ERR_)?MODULE_NOT_FOUND$/.test(error?.code)
    ? /^Cannot find (?:module|package) '([@\w./-]{1,100})'/.exec(String(error.message))?.[1]
    : undefined;
  return { name: String(error?.name ?? ''), code: String(error?.code ?? ''), line: lines[0], missing };
};
`;

/** The failure as the end of a sentence that begins with the file's name. `seeMessage`: how a person gets to see what it says. */
export function describeFailure(
  failure: CodeFailure,
  seeMessage: string,
): { readonly problem: string; readonly hint: string } {
  if (failure.missing !== undefined) {
    return {
      problem: `needs the module ${failure.missing}, which is not there`,
      hint: 'Install what the project depends on, as for the migration tool itself.',
    };
  }
  if (failure.code === 'ERR_UNKNOWN_FILE_EXTENSION') {
    return {
      problem: 'is of a kind that Node.js cannot run',
      hint: 'Compile it to JavaScript, or give NODE_OPTIONS the loader that the project uses.',
    };
  }
  // Everything else in an error is the module's own text, and may hold anything.
  const name = /^[A-Z][A-Za-z]{0,40}$/.test(failure.name) ? failure.name : 'an error';
  const place = failure.line !== undefined && /^\d{1,7}$/.test(failure.line) ? ` in line ${failure.line}` : '';
  return { problem: `failed with ${name}${place}`, hint: seeMessage };
}

export const neverSettles = {
  problem: 'waits for something that never comes',
  hint: 'See that its promise or callback is settled.',
} as const;

/** Options of Node for TypeScript: it strips types by itself from 22.18 and 23.6 on, and on demand from 22.6 on. */
export function typeStripping(): readonly string[] {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  return major > 22 || (major === 22 && minor >= 6) ? ['--experimental-strip-types', '--no-warnings'] : [];
}

/** Options of spawn for a process in a group of its own, so that whatever it starts ends with it. */
export const ownGroup = { detached: process.platform !== 'win32', windowsHide: true } as const;

/** Ends such a process and its group, at once. Never throws. */
export function endGroup(child: ChildProcess): void {
  try {
    if (child.pid !== undefined && process.platform !== 'win32') process.kill(-child.pid, 'SIGKILL');
  } catch {
    // Nobody of the group is left.
  }
  child.kill('SIGKILL');
}

import { spawn } from 'node:child_process';
import {
  describeFailure,
  endGroup,
  failureSource,
  neverSettles,
  ownGroup,
  type CodeFailure,
} from './project-process.js';

/*
 * Configuration that is code (.sequelizerc, config.js, a knexfile) is evaluated in a process of its own: it may never end,
 * end the process, print secrets or leave connections open, and nothing of that may become flyback's.
 */

export interface ProjectCode {
  /** Absolute path of the module. */
  readonly file: string;
  /** The working directory that the tool would be started in. */
  readonly folder: string;
  /** As process.env; the module sees it as it is. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** How the tool itself loads the module: require also takes files without an extension; import takes both kinds of modules. */
  readonly loadedBy: 'require' | 'import';
  /**
   * What is done when the module's value is a function: `call` it without arguments; `call-or-callback`: one that takes one
   * parameter is given a callback (error, value); `refuse`.
   */
  readonly functions: 'call' | 'call-or-callback' | 'refuse';
  /** Longest wait for all of it, in milliseconds. Default: 10 seconds. */
  readonly timeoutMs?: number | undefined;
}

/**
 * The module's value as JSON, promises awaited. What JSON cannot say is an object with the key `$kind`: `function` or `bytes`
 * (a Buffer); fields of a class instance come with `$class`, its name. Or why there is none, the end of a sentence that begins
 * with the file's name, made from flyback's own words, names of error classes and line numbers alone: never from what the
 * module said.
 */
export type LoadedCode = { readonly value: unknown } | { readonly problem: string; readonly hint: string | undefined };

const defaultTimeoutMs = 10_000;
/** A configuration is short; whatever is longer is none. */
const longestAnswer = 4_000_000;

/**
 * Runs in the child. Its streams lead nowhere, and the answer goes through a pipe of its own (descriptor 3), so that what the
 * module prints is never taken for an answer, nor shown.
 */
const childProgram = String.raw`
import { writeSync } from 'node:fs';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
${failureSource}
const { file, loadedBy, functions } = JSON.parse(process.argv[1]);
process.argv.splice(1);
const answer = (value) => {
  const bytes = Buffer.from(JSON.stringify(value));
  for (let at = 0; at < bytes.length; ) at += writeSync(3, bytes, at);
  process.exit(0);
};
const plain = (key, value) => {
  if (typeof value === 'function') return { $kind: 'function' };
  if (typeof value === 'bigint') return String(value);
  return value;
};
const seen = new Set();
const simplify = (value) => {
  if (typeof value !== 'object' || value === null) return value;
  if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return { $kind: 'bytes' };
  if (seen.has(value)) throw new RangeError('circular');
  seen.add(value);
  try {
    if (typeof value.toJSON === 'function') return value.toJSON();
    if (Array.isArray(value)) return value.map(simplify);
    const made = Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, simplify(inner)]));
    const prototype = Object.getPrototypeOf(value);
    const maker = prototype === null || Object.getPrototypeOf(prototype) === null ? undefined : prototype.constructor?.name;
    return maker === undefined || value[Symbol.toStringTag] === 'Module' ? made : { ...made, $class: maker };
  } finally {
    seen.delete(value);
  }
};
let stage = 'load';
try {
  let value;
  if (loadedBy === 'require') value = createRequire(file)(file);
  else {
    const module = await import(pathToFileURL(file));
    value = module.default ?? module;
  }
  if (value?.__esModule && 'default' in value) value = value.default;
  value = await value;
  if (typeof value === 'function') {
    stage = 'call';
    if (functions === 'refuse') answer({ ended: 'function' });
    value =
      functions === 'call-or-callback' && value.length === 1
        ? await new Promise((resolve, reject) => value((error, given) => (error ? reject(error) : resolve(given))))
        : await value();
  }
  stage = 'write';
  answer({ ended: 'value', value: JSON.parse(JSON.stringify(simplify(value), plain) ?? 'null') });
} catch (error) {
  answer({ ended: 'error', stage, ...failureOf(error, file) });
}
`;

/** Evaluates a module of the project in a child process with a bound on its time. Never throws for what the module does. */
export async function loadProjectCode(code: ProjectCode): Promise<LoadedCode> {
  const { file, folder, environment, loadedBy, functions, timeoutMs = defaultTimeoutMs } = code;
  const request = JSON.stringify({ file, loadedBy, functions });
  const child = spawn(process.execPath, ['--input-type=module', '--eval', childProgram, '--', request], {
    cwd: folder,
    env: environment,
    stdio: ['ignore', 'ignore', 'ignore', 'pipe'],
    ...ownGroup,
  });
  const end = (): void => {
    endGroup(child);
  };
  process.once('exit', end);
  try {
    return await new Promise<LoadedCode>((resolve) => {
      const chunks: Buffer[] = [];
      let length = 0;
      const timer = setTimeout(() => {
        resolve({
          problem: `gave no configuration within ${timeoutMs / 1000} s`,
          hint: 'See what it waits for: run it with node by itself.',
        });
      }, timeoutMs);
      child.stdio[3]?.on('data', (chunk: Buffer) => {
        length += chunk.length;
        if (length <= longestAnswer) chunks.push(chunk);
      });
      child.once('error', () => {
        clearTimeout(timer);
        resolve({ problem: 'could not be run: Node.js does not start', hint: undefined });
      });
      child.once('close', (exitCode) => {
        clearTimeout(timer);
        resolve(
          length > longestAnswer
            ? { problem: 'gives more than a configuration can be', hint: undefined }
            : readAnswer(Buffer.concat(chunks).toString('utf8'), exitCode),
        );
      });
    });
  } finally {
    process.removeListener('exit', end);
    end();
  }
}

type Answer =
  | { readonly ended: 'value'; readonly value: unknown }
  | { readonly ended: 'function' }
  | ({ readonly ended: 'error'; readonly stage: 'load' | 'call' | 'write' } & CodeFailure);

/** Node's exit code when the module waits for a promise that nothing is left to settle. */
const unsettled = 13;

function readAnswer(text: string, exitCode: number | null): LoadedCode {
  let answer: Answer;
  try {
    answer = JSON.parse(text) as Answer;
  } catch {
    return exitCode === unsettled
      ? neverSettles
      : { problem: 'ended the process before it gave a configuration', hint: 'Run it with node by itself to see why.' };
  }
  if (answer.ended === 'value') return { value: answer.value };
  if (answer.ended === 'function') return { problem: 'gives a function, not a configuration', hint: undefined };
  if (answer.stage === 'write' && answer.missing === undefined) {
    return { problem: 'gives something that cannot be written as JSON', hint: undefined };
  }
  return describeFailure(
    answer,
    'Run it with node by itself to see the message, which may hold secrets and is not shown here.',
  );
}

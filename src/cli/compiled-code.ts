import { createHash } from 'node:crypto';
import {
  accessSync,
  closeSync,
  constants,
  fstatSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createRequire, Module } from 'node:module';
import path from 'node:path';
import { cachedDataVersionTag } from 'node:v8';
import { Script } from 'node:vm';

/*
 * Compiling the command line costs a third of a short command. What V8 has compiled in one run is kept beside the code
 * that it belongs to, as Python does with its own, and the next run of the same command begins with it. Node does this by
 * itself from version 22 on (module.enableCompileCache), not for Node 20.
 *
 * What is kept is code: it is used only where it goes with every byte of the file and was written by somebody who may
 * write that too.
 */

/** A CommonJS file that is part of this program. */
export interface CompiledFile {
  /** Loads another one as this one would. */
  readonly require: NodeJS.Require;
  /** Whether code that an earlier run has kept was taken. */
  readonly isKept: boolean;
  /** Keeps what has been compiled by now, unless that was done before. Never throws: where nothing can be written nothing is. */
  keep(): void;
}

/**
 * Loads a file, unless this process has done so before; whatever requires it later gets the same. `label` (letters) tells
 * runs apart that need other parts of it. NODE_DISABLE_COMPILE_CACHE=1, by which Node's own cache is switched off, does so here.
 *
 * The file cannot use import(): for code that comes by this way Node 20 has it only as an experiment, and says so on the
 * screen. What it requires can.
 */
export function loadCompiled(
  file: string,
  label: string,
  environment: Readonly<Record<string, string | undefined>>,
): CompiledFile {
  const require = createRequire(file);
  // A second copy would have classes of its own, of which the files that know the first know nothing.
  if (require.cache[file] !== undefined) return { require, isKept: false, keep: () => undefined };
  const bytes = readFileSync(file);
  // V8 takes only what the same V8 has compiled, with the same flags, and the tag says that.
  const keptIn = `${file.slice(0, -path.extname(file).length)}.${label}.${cachedDataVersionTag().toString(16)}.cache`;
  const isOff = environment['NODE_DISABLE_COMPILE_CACHE'] === '1';
  const cachedData = isOff ? undefined : readKept(keptIn, file, bytes);
  const script = new Script(`(function (exports, require, module, __filename, __dirname) {${bytes.toString()}\n})`, {
    filename: file,
    cachedData,
  });
  const module = new Module(file);
  module.filename = file;
  require.cache[file] = module;
  const run = script.runInThisContext() as (...values: readonly unknown[]) => void;
  run(module.exports, require, module, file, path.dirname(file));
  module.loaded = true;
  const isKept = cachedData !== undefined && script.cachedDataRejected !== true;
  return {
    require,
    isKept,
    keep: () => {
      if (!isOff && !isKept) keep(keptIn, bytes, script);
    },
  };
}

const digestBytes = 32;

/** Of both: neither half of a file that was being written nor what belongs to another build is ever run. */
function digestOf(source: Uint8Array, data: Uint8Array): Buffer {
  return createHash('sha256').update(source).update(data).digest();
}

function readKept(keptIn: string, file: string, source: Uint8Array): Buffer | undefined {
  let descriptor: number | undefined;
  try {
    descriptor = openSync(keptIn, constants.O_RDONLY | constants.O_NOFOLLOW);
    if (!isTrusted(descriptor, file)) return undefined;
    const bytes = readFileSync(descriptor);
    const data = bytes.subarray(digestBytes);
    return digestOf(source, data).equals(bytes.subarray(0, digestBytes)) ? data : undefined;
  } catch {
    return undefined;
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
}

/** Nobody else can have written it: it is this user's own, the system's, or belongs to whom the program belongs to. */
function isTrusted(descriptor: number, file: string): boolean {
  // Windows has neither these owners nor these modes; a folder's rights go to its files there.
  if (process.getuid === undefined) return true;
  const { uid, mode } = fstatSync(descriptor);
  if ((mode & 0o022) !== 0) return false;
  return uid === process.getuid() || uid === 0 || uid === statSync(file).uid;
}

function keep(keptIn: string, source: Uint8Array, script: Script): void {
  try {
    accessSync(path.dirname(keptIn), constants.W_OK);
    const data = script.createCachedData();
    rmSync(keptIn, { force: true });
    writeFileSync(keptIn, Buffer.concat([digestOf(source, data), data]), { flag: 'wx', mode: 0o644 });
  } catch {
    // Another run of the same command may have been faster, or nobody may write there.
  }
}

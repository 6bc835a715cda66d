/**
 * For a program that runs in the project: defines fromProject, a require that starts in the working directory, and
 * loadMigration(file), which imports a migration or requires it as Knex (migrations/util/import-file) and Umzug 3 (its default
 * resolver) do: by its extension, then by the type of the package that it lies in.
 */
export const migrationModuleSource = String.raw`
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, extname, join } from 'node:path';
import { pathToFileURL } from 'node:url';

const fromProject = createRequire(join(process.cwd(), 'migration.js'));

function isModule(file) {
  const ending = extname(file);
  if (ending === '.mjs' || ending === '.mts') return true;
  if (ending === '.cjs' || ending === '.cts') return false;
  for (let folder = dirname(file); ; folder = dirname(folder)) {
    const description = join(folder, 'package.json');
    if (existsSync(description)) return JSON.parse(readFileSync(description, 'utf8')).type === 'module';
    if (dirname(folder) === folder) return false;
  }
}

async function loadMigration(file) {
  return isModule(file) ? import(pathToFileURL(file).href) : createRequire(file)(file);
}
`;

import type { MigrationFinding } from '../../../src/adapter/history.js';
import type { Finding } from '../../../src/errors/finding.js';
import type { History, InterpretedEntry } from '../../../src/history/history.js';
import type { Migration } from '../../../src/history/migration.js';
import { isInEffect, storesBareNames } from './in-effect.js';
import type { ToolName } from './settings.js';
import { withoutExtension } from './versions.js';

/** Where names in the history and files disagree. Nothing of it stops the tools, so all are warnings. */
export function checkMigrations(
  tool: ToolName,
  history: History,
  migrations: readonly Migration[],
): readonly MigrationFinding[] {
  const versioned = migrations.filter(({ kind }) => kind === 'versioned');
  const isApplied = isInEffect(tool, history);
  const applied = new Set(versioned.filter(isApplied).map(({ script }) => script));
  const byKey = new Map(versioned.map((migration) => [withoutExtension(migration.script), migration]));
  const areBare = storesBareNames(tool, history);
  return history.applied.flatMap((row) => {
    const name = row.entry.script;
    const own = byKey.get(withoutExtension(name));
    if (applied.has(name) || (areBare && own !== undefined)) return [];
    const finding =
      own !== undefined ? renamed(tool, name, own) : (prefixOnly(tool, name, versioned) ?? missing(tool, name, row));
    return [{ version: row.version, finding }];
  });
}

function renamed(tool: ToolName, name: string, file: Migration): Finding {
  const words =
    tool === 'umzug'
      ? 'Umzug knows them as two migrations: up() applies it again under its new name, and down() passes it over'
      : 'Sequelize knows them as two migrations: db:migrate applies it again under its new name, and db:migrate:undo does not find it';
  return {
    code: 'migration-renamed',
    severity: 'warning',
    subject: withoutExtension(name),
    message: `The history has ${name}, the file is called ${file.script} now. ${words}.`,
    hint: 'Run the tool and flyback where the files have the names that were applied (the compiled ones), or change the names in the history to match.',
  };
}

/** Umzug 2 looks a file up by the beginning of its name. */
function prefixOnly(tool: ToolName, name: string, versioned: readonly Migration[]): Finding | undefined {
  const found = tool === 'sequelize' ? versioned.find(({ script }) => script.startsWith(name)) : undefined;
  if (found === undefined) return undefined;
  return {
    code: 'migration-prefix-match',
    severity: 'warning',
    subject: name,
    message: `The history has ${name}, and no file is called so; db:migrate:undo would take ${found.script} for it, which only begins alike, and run its down.`,
    hint: 'Restore the file, or correct the name in the history.',
  };
}

function missing(tool: ToolName, name: string, row: InterpretedEntry): Finding {
  return {
    code: 'migration-missing',
    severity: 'warning',
    subject: row.version?.text ?? name,
    message: `The migration ${name} was applied, but its file is gone; ${
      tool === 'umzug' ? 'Umzug passes it over' : 'db:migrate does not mind, db:migrate:undo fails at it'
    }.`,
    hint: 'Restore the file from version control.',
  };
}

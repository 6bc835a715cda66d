import type { Project } from '../project/project.js';
import type { Migration } from '../history/migration.js';
import type { RollbackScript } from '../scripts/rollback-script.js';
import type { CatalogChange } from './compare-catalogs.js';
import { gradeOfCatalog, kindOfChange, worse, type Grade } from './grade.js';
import type { RowChange, VersionProof } from './proof.js';

export interface Verdict {
  readonly grade: Grade;
  readonly reason: string | undefined;
  readonly changes: readonly CatalogChange[];
  readonly rows: readonly RowChange[];
  readonly left: readonly string[];
}

/** What these differences between before a version and after its rollback come to. Pure. */
export function verdictOf(
  project: Project,
  migration: Migration,
  all: readonly CatalogChange[],
  allRows: readonly RowChange[],
): Verdict {
  const script = project.pairs.find(({ version }) => version.key === migration.version?.key)?.script;
  return verdictOfScripts(script === undefined ? [] : [script], all, allRows);
}

/** The same for several rollbacks, one after the other. Pure. */
export function verdictOfScripts(
  scripts: readonly RollbackScript[],
  all: readonly CatalogChange[],
  allRows: readonly RowChange[],
): Verdict {
  const declared = declarations(scripts);
  const isLeft = (change: CatalogChange): boolean =>
    (change.change === 'left-over' || kindOfChange(change) === 'residue') && declared.leaves(change.name);
  const changes = all.filter((change) => !isLeft(change));
  const rows = allRows.filter(({ table }) => !declared.leaves(table));
  const left = all.filter(isLeft).map(({ kind, name }) => `${kind} ${name}`);
  const grade = [gradeOfCatalog(changes), ...rows.map((row) => gradeOfRows(row, declared.mayLose))].reduce(worse);
  return { grade, reason: reasonOf(grade, changes, rows), changes, rows, left };
}

/** What scripts say of themselves: which objects they leave behind, and of which tables they may lose rows or values. */
function declarations(scripts: readonly RollbackScript[]): {
  readonly leaves: (name: string) => boolean;
  readonly mayLose: (table: string) => boolean;
} {
  // "index kept.x", "trigger t on kept.x", "on table column kept.x.y": the name stands at the beginning of a word.
  const patterns = scripts
    .flatMap(({ directives }) => directives.leaves)
    .map((left) => new RegExp(`(?:^|\\s)${left.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')}(?:[.\\s]|$)`));
  // A table, or a column of it; with its schema or without.
  const lost = scripts.flatMap(({ directives }) => directives.allowLoss).map((name) => name.toLowerCase());
  const isOf = (table: string, name: string): boolean => name === table || name.startsWith(`${table}.`);
  return {
    leaves: (name) => patterns.some((pattern) => pattern.test(name)),
    mayLose: (table) => {
      const full = table.toLowerCase();
      const short = full.replace(/^(?:"(?:[^"]|"")*"|[^".]+)\./, '');
      return lost.some((name) => isOf(full, name) || isOf(short, name));
    },
  };
}

/** Rows that are gone or changed are lost; rows that are there although they were not are a difference. */
function gradeOfRows({ table, before, after }: RowChange, mayLose: (table: string) => boolean): Grade {
  if ((before?.count ?? 0) < (after?.count ?? 0)) return 'different';
  return mayLose(table) ? 'loss-declared' : 'data-lost';
}

function reasonOf(grade: Grade, changes: VersionProof['changes'], rows: readonly RowChange[]): string | undefined {
  if (grade === 'exact') return undefined;
  const worst = changes.filter((change) => kindOfChange(change) === 'substance');
  const told = (worst.length > 0 ? worst : changes).map(({ kind, name, change }) =>
    change === 'different'
      ? `${kind} ${name} is not as it was`
      : `${kind} ${name} is ${change === 'missing' ? 'missing' : 'left over'}`,
  );
  const lost = rows.map(
    ({ table, before, after }) =>
      `${table} has ${after?.count ?? 0} rows instead of ${before?.count ?? 0}${before?.count === after?.count ? ', with other values' : ''}`,
  );
  const all = [...told, ...lost];
  return `${all.slice(0, 3).join('; ')}${all.length > 3 ? ` and ${all.length - 3} more` : ''}.`;
}

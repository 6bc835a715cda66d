import type { Project } from '../project/project.js';
import type { Migration } from '../history/migration.js';
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

/** What these differences between before and after come to. Pure. */
export function verdictOf(
  project: Project,
  migration: Migration,
  all: readonly CatalogChange[],
  allRows: readonly RowChange[],
): Verdict {
  const declared = declaredLeft(project, migration);
  const changes = all.filter((change) => !(change.change === 'left-over' && declared(change.name)));
  const rows = allRows.filter(({ table }) => !declared(table));
  const left = all.filter((change) => !changes.includes(change)).map(({ kind, name }) => `${kind} ${name}`);
  const grade = rows.length === 0 ? gradeOfCatalog(changes) : worse(gradeOfCatalog(changes), gradeOfRows(rows));
  return { grade, reason: reasonOf(grade, changes, rows), changes, rows, left };
}

/** Whether an object of this name lies in what the script's directive `leaves` names. */
function declaredLeft(project: Project, migration: Migration): (name: string) => boolean {
  const pair = project.pairs.find(({ version }) => version.key === migration.version?.key);
  const names = pair?.script?.directives.leaves ?? [];
  // "index kept.x", "trigger t on kept.x", "on table column kept.x.y": the name stands at the beginning of a word.
  const patterns = names.map(
    (left) => new RegExp(`(?:^|\\s)${left.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')}(?:[.\\s]|$)`),
  );
  return (name) => patterns.some((pattern) => pattern.test(name));
}

/** Rows that are gone or changed are lost; rows that are there although they were not are a difference. */
function gradeOfRows(rows: readonly RowChange[]): Grade {
  return rows.some(({ before, after }) => (before?.count ?? 0) < (after?.count ?? 0)) ? 'different' : 'data-lost';
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

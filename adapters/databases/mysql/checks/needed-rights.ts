import type { NeededScript } from '../../../../src/adapter/server-checks.js';
import type { ObjectRef, StatementImpact } from '../../../../src/risk/change.js';

/** A privilege that scripts need, on a table or a whole schema (MySQL manual, the page of each statement). */
export interface NeededRight {
  readonly privilege: string;
  /** Undefined where only the whole server counts. */
  readonly schema: string | undefined;
  readonly table: string | undefined;
  /** Versions whose scripts need it. */
  readonly versions: readonly string[];
}

type Right = Omit<NeededRight, 'versions'>;

/** Every privilege that the scripts need, each once. */
export function neededRights(scripts: readonly NeededScript[], scriptSchema: string): readonly NeededRight[] {
  const found = new Map<string, { right: Right; versions: Set<string> }>();
  for (const { version, statements } of scripts) {
    for (const { impact, text } of statements) {
      const isAlter = /^\s*alter\b/i.test(text);
      for (const right of impact === undefined ? [] : rightsOf(impact, scriptSchema, isAlter)) {
        const key = [right.privilege, right.schema, right.table].join('\n');
        const known = found.get(key) ?? { right, versions: new Set<string>() };
        known.versions.add(version);
        found.set(key, known);
      }
    }
  }
  return [...found.values()].map(({ right, versions }) => ({ ...right, versions: [...versions] }));
}

function rightsOf(impact: StatementImpact, scriptSchema: string, isAlter: boolean): readonly Right[] {
  const on = (privilege: string, { kind, schema, name }: ObjectRef): Right =>
    kind === 'schema'
      ? { privilege, schema: name, table: undefined }
      : { privilege, schema: schema ?? scriptSchema, table: isTable(kind) ? name : undefined };
  const rights: Right[] = impact.drops.map((ref) => on(dropPrivilege(ref, isAlter), ref));
  for (const change of impact.changes) {
    const written = writePrivileges[change];
    if (written !== undefined) rights.push(...impact.writes.map((ref) => on(written, ref)));
    const named = change === 'add-index' ? (isAlter ? 'ALTER' : 'INDEX') : objectPrivileges[change];
    if (named !== undefined)
      rights.push(...impact.objects.filter(({ kind }) => kind === 'table').map((ref) => on(named, ref)));
    if (change === 'create-table' || change === 'create-schema')
      rights.push(
        ...impact.objects.filter(({ kind }) => kind === 'table' || kind === 'schema').map((ref) => on('CREATE', ref)),
      );
    if (change === 'create-object' || change === 'replace-object') {
      rights.push(
        ...impact.objects.flatMap((ref) => {
          const privilege = createPrivileges[ref.kind];
          return privilege === undefined ? [] : [on(privilege, ref)];
        }),
      );
    }
  }
  return rights;
}

const writePrivileges: Partial<Record<string, string>> = {
  'insert-data': 'INSERT',
  'update-data': 'UPDATE',
  'delete-data': 'DELETE',
  truncate: 'DROP',
};

const objectPrivileges: Partial<Record<string, string>> = {
  'add-column': 'ALTER',
  'drop-column': 'ALTER',
  'add-constraint': 'ALTER',
  'drop-constraint': 'ALTER',
  'alter-type': 'ALTER',
  'set-not-null': 'ALTER',
  'drop-not-null': 'ALTER',
  'change-default': 'ALTER',
  rename: 'ALTER',
  storage: 'ALTER',
};

const createPrivileges: Partial<Record<string, string>> = {
  view: 'CREATE VIEW',
  trigger: 'TRIGGER',
  procedure: 'CREATE ROUTINE',
  function: 'CREATE ROUTINE',
  event: 'EVENT',
  sequence: 'CREATE',
};

function dropPrivilege({ kind, member }: ObjectRef, isAlter: boolean): string {
  switch (kind) {
    case 'trigger':
      return 'TRIGGER';
    case 'procedure':
    case 'function':
      return 'ALTER ROUTINE';
    case 'event':
      return 'EVENT';
    case 'index':
      return isAlter ? 'ALTER' : 'INDEX';
    default:
      return member === undefined ? 'DROP' : 'ALTER';
  }
}

/** Kinds whose name is that of a table, or of something that rights are given on like tables. */
function isTable(kind: string): boolean {
  return ['table', 'view', 'sequence', 'column', 'constraint', 'index', 'partition'].includes(kind);
}

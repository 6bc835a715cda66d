import path from 'node:path';
import type { Classifier, SqlDialect, Token } from '../adapter/database.js';
import type { Finding } from '../errors/finding.js';
import type { ChangeType, ObjectRef, StatementImpact } from '../risk/change.js';
import { locate } from '../scripts/locate.js';
import type { RollbackScript } from '../scripts/rollback-script.js';
import type { Statement } from '../scripts/statement.js';

/**
 * Mistakes that only show when statements are seen together: a table that is read after the script has dropped it, and a
 * copy of rows that is taken for a backup of the table. A name without a schema is taken for one of `scriptSchema`, which
 * stands first in the search_path of scripts. Pure.
 */
export function scriptMistakes(
  script: RollbackScript,
  classifier: Pick<Classifier, 'classify'>,
  dialect: SqlDialect,
  scriptSchema: string,
): readonly Finding[] {
  const isSame = (one: ObjectRef, other: ObjectRef): boolean =>
    one.name === other.name && (one.schema ?? scriptSchema) === (other.schema ?? scriptSchema);
  const findings: Finding[] = [];
  const copies: { readonly of: ObjectRef; readonly name: string; readonly statement: Statement }[] = [];
  let dropped: readonly DroppedObject[] = [];
  for (const statement of script.statements) {
    const impact = impactOf(statement, classifier);
    if (impact === undefined) continue;
    const gone = impact.changes.some((change) => usesRows.has(change)) ? firstGone(impact, dropped, isSame) : undefined;
    if (gone !== undefined) findings.push(readsDropped(script, statement, gone, 'This statement', dialect));
    for (const ref of impact.drops) {
      const copy = isTable(ref) ? copies.find(({ of }) => isSame(of, ref)) : undefined;
      if (copy !== undefined) findings.push(rowsOnly(script, copy, statement, dialect));
    }
    if (isCopy(statement, impact, dialect)) {
      const name = impact.objects[0]?.name ?? '';
      copies.push(...impact.locks.map(({ on }) => ({ of: on, name, statement })));
    }
    dropped = [
      ...dropped.filter((known) => !mayHaveReturned(known, statement, impact, isSame)),
      ...impact.drops.filter(isTable).map((ref) => ({ ref, line: statement.line })),
      ...impact.drops.filter(({ kind }) => kind === 'schema').map((ref) => ({ ref, line: statement.line })),
    ];
  }
  for (const { query, name } of script.verifications) {
    const impact = impactOf(query, classifier);
    const gone = impact === undefined ? undefined : firstGone(impact, dropped, isSame);
    if (gone !== undefined) findings.push(readsDropped(script, query, gone, `The verification "${name}"`, dialect));
  }
  return findings;
}

interface DroppedObject {
  readonly ref: ObjectRef;
  readonly line: number;
}

/** Statements that need the table to be there. */
const usesRows: ReadonlySet<ChangeType> = new Set<ChangeType>([
  'query',
  'insert-data',
  'update-data',
  'delete-data',
  'truncate',
  'data-copy',
]);

function impactOf(statement: Statement, classifier: Pick<Classifier, 'classify'>): StatementImpact | undefined {
  const impact = classifier.classify(statement.text);
  return 'changes' in impact ? impact : undefined;
}

function isTable({ kind }: ObjectRef): boolean {
  return kind === 'table' || kind === 'view' || kind === 'materialized view' || kind === 'foreign table';
}

type Same = (one: ObjectRef, other: ObjectRef) => boolean;

function firstGone(
  impact: StatementImpact,
  dropped: readonly DroppedObject[],
  isSame: Same,
): DroppedObject | undefined {
  return dropped.find(({ ref }) =>
    impact.locks.some(({ on }) => (ref.kind === 'schema' ? on.schema === ref.name : isSame(ref, on))),
  );
}

/** Created anew, renamed to, or made by code that cannot be looked into. */
function mayHaveReturned({ ref }: DroppedObject, statement: Statement, impact: StatementImpact, isSame: Same): boolean {
  if (impact.changes.includes('rename') || impact.changes.includes('procedural')) {
    return statement.text.toLowerCase().includes(ref.name.toLowerCase());
  }
  const creates = impact.changes.some((change) => /^(?:create|replace)-/.test(change));
  return creates && impact.objects.some((object) => isSame(ref, object));
}

function readsDropped(
  script: RollbackScript,
  statement: Statement,
  { ref, line }: DroppedObject,
  what: string,
  dialect: SqlDialect,
): Finding {
  const isMysql = dialect.ddl === 'commits';
  const outcome = script.transaction === 'on' ? 'nothing would be rolled back' : 'what stands before it stays done';
  const question = isMysql
    ? `SELECT count(*) FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name = '${ref.name}' with the expectation 0`
    : `SELECT to_regclass('${ref.name}') with the expectation NULL`;
  return {
    code: 'verification-reads-dropped',
    severity: 'warning',
    subject: script.version.text,
    message: `${what} in line ${statement.line} of ${path.basename(script.file)} uses ${ref.kind} ${ref.name}, which line ${line} drops: it would fail, and ${outcome}.`,
    hint: `Ask whether it is gone, as by ${question}, or check what stays.`,
    location: locate(script, statement, undefined),
  };
}

function rowsOnly(
  script: RollbackScript,
  copy: { readonly of: ObjectRef; readonly name: string; readonly statement: Statement },
  drop: Statement,
  dialect: SqlDialect,
): Finding {
  const like = dialect.ddl === 'commits' ? `LIKE ${copy.of.name}` : `(LIKE ${copy.of.name} INCLUDING ALL)`;
  return {
    code: 'backup-without-structure',
    severity: 'warning',
    subject: script.version.text,
    message: `${copy.name} in line ${copy.statement.line} of ${path.basename(script.file)} keeps the rows of ${copy.of.name} and nothing else, and line ${drop.line} drops ${copy.of.name}: its keys, defaults, indexes, constraints, triggers and partitions are gone.`,
    hint: `Write CREATE TABLE ${copy.name} ${like} and INSERT INTO ${copy.name} SELECT … instead; foreign keys, triggers and partitions come from the migration.`,
    location: locate(script, copy.statement, undefined),
  };
}

/** CREATE TABLE … AS, which MySQL may leave out, and SELECT … INTO. CREATE TABLE (LIKE …), which keeps structure, has no AS behind its name. */
function isCopy(statement: Statement, impact: StatementImpact, dialect: SqlDialect): boolean {
  if (!impact.changes.includes('create-table')) return false;
  const tokens = dialect.tokenize(statement.text, 200);
  const first = wordOf(tokens[0]);
  if (first !== 'create') return first === 'select' || first === 'with';
  let depth = 0;
  return tokens.some((token, index) => {
    if (token.kind === 'sign' && token.value === '(') depth += 1;
    if (token.kind === 'sign' && token.value === ')') depth -= 1;
    if (depth === 0 && dialect.ddl === 'commits' && wordOf(token) === 'select') return true;
    const next = tokens[index + 1];
    return depth === 0 && wordOf(token) === 'as' && (startsQuery.has(wordOf(next) ?? '') || next?.value === '(');
  });
}

const startsQuery: ReadonlySet<string> = new Set(['select', 'with', 'table', 'values']);

function wordOf(token: Token | undefined): string | undefined {
  return token?.kind === 'word' ? token.value : undefined;
}

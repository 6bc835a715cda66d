import type { RiskAssessment } from '../pairing/pair.js';
import type { ObjectRef, StatementImpact } from '../risk/change.js';
import { matrix } from '../risk/matrix.js';
import type { StubTemplates, TemplateName } from './templates.js';

/** One statement of the migration, with what is known of taking it back. */
export interface StubStatement {
  /** 1-based line in the migration file. */
  readonly line: number;
  readonly text: string;
  /** As Classifier.inverseHints gives them. */
  readonly hints: readonly string[];
  /** Undefined when the statement cannot be parsed. */
  readonly impact: StatementImpact | undefined;
}

export interface StubRequest {
  /** As the migration's file writes it. */
  readonly version: string;
  readonly description: string;
  /** The migration's script as the migration tool names it; undefined when there is no such file. */
  readonly migration: string | undefined;
  /** The migration tool's checksum of it; null where it keeps none. */
  readonly migrationChecksum: number | null;
  /** The version column of the history row, when the version is applied and written differently there. */
  readonly historyVersionText?: string | undefined;
  /** Undefined when the migration's statements are not known. */
  readonly risk: RiskAssessment | undefined;
  /** In the order of the migration. */
  readonly statements: readonly StubStatement[];
  readonly templates: StubTemplates;
}

/**
 * Text of a rollback script to be filled in: who and what, the risk, then for each statement of the migration, last one
 * first, how to take it back, then verification queries. Every line is a comment: nothing in it runs before a person has
 * looked at it, and its stub directive keeps it from ever passing for a finished script. Pure.
 */
export function writeStub(request: StubRequest): string {
  const { templates } = request;
  const migration = request.migration ?? 'unknown';
  const parts = [fill(templates['header.sql'], headerFields(request, migration))];
  const undoing = request.statements.toReversed().filter((statement) => statement.hints.length > 0);
  for (const statement of undoing) {
    const hint = statement.hints.join('\n');
    parts.push(
      fill(templates['statement.sql'], { line: String(statement.line), statement: oneLine(statement.text), hint }),
    );
  }
  if (undoing.length === 0) parts.push(fill(templates['nothing.sql'], { migration }));
  parts.push(...verifications(request));
  return `${parts.map(commentOut).join('\n\n')}\n`;
}

function headerFields(request: StubRequest, migration: string): Readonly<Record<string, string>> {
  const { risk } = request;
  const worst = risk?.migrationChanges[0];
  return {
    version: request.version,
    description: request.description,
    migration,
    historyVersion: request.historyVersionText ?? request.version,
    risk: risk === undefined ? 'UNKNOWN' : risk.risk.toUpperCase(),
    action: risk?.action ?? 'Review by hand',
    dataLoss: worst === undefined ? 'unknown' : lossText(request),
    changes: risk === undefined ? 'not known' : risk.migrationChanges.map(changeText).join(', '),
    checksum: request.migrationChecksum === null ? '' : `-- flyback: migration-checksum ${request.migrationChecksum}`,
  };
}

/** The note of the riskiest change that can lose as much as the whole version can. */
function lossText({ risk }: StubRequest): string {
  const worst = risk?.migrationChanges.find((change) => matrix[change].dataLoss === risk.dataLoss);
  return worst === undefined ? (risk?.dataLoss ?? 'unknown').toUpperCase() : matrix[worst].dataLossNote;
}

/** create-table → CREATE TABLE */
function changeText(change: string): string {
  return change.toUpperCase().replaceAll('-', ' ');
}

const verifiable: Readonly<Record<string, 0 | 1>> = {
  'create-table': 0,
  'drop-table': 1,
  'add-column': 0,
  'drop-column': 1,
};

function verifications(request: StubRequest): readonly string[] {
  const texts = new Set<string>();
  for (const { impact } of request.statements.toReversed()) {
    for (const change of impact?.changes ?? []) {
      const count = verifiable[change];
      if (impact === undefined || count === undefined) continue;
      const kind = change.endsWith('column') ? 'column' : 'table';
      for (const ref of impact.objects.filter((object) => object.kind === kind)) {
        texts.add(existence(request.templates, kind, ref, count));
      }
    }
  }
  if (texts.size === 0) texts.add(fill(request.templates['verify-other.sql'], { version: request.version }));
  return [...texts];
}

function existence(templates: StubTemplates, kind: 'table' | 'column', ref: ObjectRef, count: 0 | 1): string {
  const template: TemplateName = kind === 'table' ? 'verify-table.sql' : 'verify-column.sql';
  const subject = kind === 'table' ? ref.name : `${ref.name}.${ref.member ?? ''}`;
  return fill(templates[template], {
    name: `${oneLine(subject)} ${count === 0 ? 'gone' : 'back'}`,
    schema: ref.schema === undefined ? 'current_schema()' : literal(ref.schema),
    table: literal(ref.name),
    column: literal(ref.member ?? ''),
    count: String(count),
  });
}

/** A text literal of standard SQL. */
function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

/** A field that stands alone on its line is put in line by line, behind what the template has in front of it. */
function fill(template: string, fields: Readonly<Record<string, string>>): string {
  return template
    .trimEnd()
    .split(/\r\n|\r|\n/)
    .flatMap((line) => {
      const alone = /^(.*?)\{\{\s*(hint|checksum)\s*\}\}\s*$/.exec(line);
      if (alone !== null) {
        const value = fields[alone[2] ?? ''] ?? '';
        return value === '' ? [] : value.split('\n').map((item) => `${alone[1] ?? ''}${item}`);
      }
      return [line.replaceAll(/\{\{\s*([^{}]*?)\s*\}\}/g, (_match, name: string) => oneLine(fields[name] ?? ''))];
    })
    .join('\n');
}

const maxStatement = 160;

function oneLine(text: string): string {
  // A comment of SQL ends at a line feed or a carriage return.
  const line = text.replaceAll(/\s+/g, ' ').trim();
  const characters = Array.from(line);
  return characters.length > maxStatement ? `${characters.slice(0, maxStatement - 1).join('')}…` : line;
}

/** Makes sure that each line is a comment, whatever a template or a name in the migration holds. */
function commentOut(text: string): string {
  return text
    .split(/\r\n|\r|\n/)
    .map((line) => (line.trim() === '' || line.startsWith('--') ? line.trimEnd() : `-- ${line}`.trimEnd()))
    .join('\n');
}

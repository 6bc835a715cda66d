import path from 'node:path';
import type { SourceLocation } from '../errors/error.js';
import type { Finding } from '../errors/finding.js';
import { risks, type ParseProblem, type Risk, type StatementImpact } from '../risk/change.js';
import type { Statement } from '../scripts/statement.js';
import type { Pair, RiskAssessment } from './pair.js';

/** A statement that the database's parser refused. */
export interface UnparsableStatement {
  readonly statement: Statement;
  readonly problem: ParseProblem;
}

/** What the statements of one file do, as far as they could be parsed. */
export interface ClassifiedFile {
  readonly impacts: readonly StatementImpact[];
  readonly unparsable: readonly UnparsableStatement[];
}

export interface PairClassification {
  /** Undefined when there is no file, or nothing that could be read as SQL. */
  readonly migration: ClassifiedFile | undefined;
  readonly rollback: ClassifiedFile | undefined;
}

/** Judges a version by the impacts of its migration and of its rollback; undefined for a file that could not be read. */
export type AssessRisk = (
  migration: readonly StatementImpact[] | undefined,
  rollback: readonly StatementImpact[] | undefined,
) => RiskAssessment;

/**
 * The pair with its risk, and with a finding for every statement that could not be parsed: an error in the rollback
 * script, which would fail, a warning in the migration, whose risk is then only partly known. Pure.
 */
export function withClassification(pair: Pair, classification: PairClassification, assess: AssessRisk): Pair {
  const { migration, rollback } = classification;
  const findings: Finding[] = [...pair.findings];
  for (const unparsable of rollback?.unparsable ?? []) {
    findings.push(describeUnparsable('rollback-unparsable', pair, unparsable, pair.script?.file, pair.script?.text));
  }
  for (const unparsable of migration?.unparsable ?? []) {
    findings.push(
      describeUnparsable('migration-unparsable', pair, unparsable, pair.migration?.file, pair.migration?.sql),
    );
  }
  const isKnown = migration !== undefined || rollback !== undefined;
  const assessed = isKnown ? assess(migration?.impacts, rollback?.impacts) : undefined;
  const declared = pair.script?.directives.risk;
  if (assessed === undefined || declared === undefined) return { ...pair, findings, risk: assessed };
  if (rank(declared) < rank(assessed.risk)) findings.push(understated(pair, declared, assessed.risk));
  return { ...pair, findings, risk: { ...assessed, risk: higherRisk(declared, assessed.risk) } };
}

function rank(risk: Risk): number {
  return risks.indexOf(risk);
}

/** Whoever wrote the script may know of a risk that no statement shows; to play one down takes an approval. */
export function higherRisk(declared: Risk | undefined, assessed: Risk): Risk {
  return declared !== undefined && rank(declared) > rank(assessed) ? declared : assessed;
}

function understated(pair: Pair, declared: Risk, assessed: Risk): Finding {
  return {
    code: 'risk-understated',
    severity: 'warning',
    subject: pair.version.text,
    message: `The rollback script of version ${pair.version.text} says its risk is ${declared}; by its statements it is ${assessed}.`,
    hint: 'Correct the risk directive; the higher one counts.',
  };
}

function describeUnparsable(
  code: 'rollback-unparsable' | 'migration-unparsable',
  pair: Pair,
  { statement, problem }: UnparsableStatement,
  file: string | undefined,
  text: string | undefined,
): Finding {
  const location = file === undefined ? undefined : locate(file, text ?? '', statement, problem.offset ?? 0);
  const place =
    location === undefined
      ? ''
      : ` (${path.basename(location.file)}, line ${location.line}, column ${location.column})`;
  return code === 'rollback-unparsable'
    ? {
        code,
        severity: 'error',
        subject: pair.version.text,
        message: `The rollback of version ${pair.version.text} cannot be parsed: ${problem.message}${place}.`,
        hint: 'Correct the statement; the database would refuse it.',
        location,
      }
    : {
        code,
        severity: 'warning',
        subject: pair.version.text,
        message: `The migration of version ${pair.version.text} cannot be parsed: ${problem.message}${place}; its risk is only partly known.`,
        hint: 'Read the migration yourself before rolling it back.',
        location,
      };
}

/** The problem's offset counts from the statement, whose own line and column are known. */
function locate(file: string, text: string, statement: Statement, offset: number): SourceLocation {
  const before = statement.text.slice(0, offset).split(/\r\n|\r|\n/);
  const last = before.at(-1) ?? '';
  return {
    file,
    line: statement.line + before.length - 1,
    column: before.length === 1 ? statement.column + last.length : last.length + 1,
    lineText: lineAround(text, statement.offset + offset),
  };
}

function lineAround(text: string, offset: number): string {
  const start = Math.max(text.lastIndexOf('\n', offset - 1), text.lastIndexOf('\r', offset - 1)) + 1;
  return text.slice(offset === 0 ? 0 : start).split(/\r\n|\r|\n/, 1)[0] ?? '';
}

import type { Node } from 'libpg-query';
import type { Classifier } from '../../../src/adapter/database.js';
import type { ParseProblem, StatementImpact } from '../../../src/risk/change.js';
import { ImpactCollector } from './classify/impact.js';
import { indexHandlers } from './classify/indexes.js';
import { classifyCreation, objectHandlers } from './classify/objects.js';
import { utf16Index } from './classify/positions.js';
import { queryHandlers } from './classify/queries.js';
import { serverHandlers } from './classify/server.js';
import { tableHandlers } from './classify/tables.js';
import { tagOf } from './classify/tree.js';
import { inverseOf } from './inverse/inverse.js';
import { loadParser } from './parser.js';

type Handler = (body: unknown, impact: ImpactCollector) => void;

const handlers = {
  ...queryHandlers,
  ...tableHandlers,
  ...indexHandlers,
  ...objectHandlers,
  ...serverHandlers,
} as Readonly<Record<string, Handler>>;

/** What one parsed statement does. */
function impactOf(statement: Node): StatementImpact {
  const impact = new ImpactCollector();
  const tag = tagOf(statement);
  const handler = tag === undefined ? undefined : handlers[tag];
  if (handler !== undefined && tag !== undefined) {
    handler((statement as Readonly<Record<string, unknown>>)[tag], impact);
  } else if (!classifyCreation(statement, impact)) {
    impact.change('other');
  }
  return impact.build();
}

function problemOf(error: unknown, text: string): ParseProblem {
  const details = (error as { sqlDetails?: { message: string; cursorPosition: number } }).sqlDetails;
  if (details === undefined) {
    return { message: error instanceof Error ? error.message : String(error), offset: undefined };
  }
  // The parser counts characters, not UTF-16 units; it says 0 both for the first character and for "nowhere".
  return { message: details.message, offset: utf16Index(text, details.cursorPosition) };
}

/**
 * Loads the parser and returns the classifier on top of it.
 * Trees are dropped after each call. A statement that only a newer or older server accepts is a ParseProblem.
 */
export async function loadClassifier(): Promise<Classifier> {
  const parseSync = await loadParser();

  const parse = (text: string): readonly Node[] | ParseProblem => {
    if (text.trim() === '') return { message: 'The statement is empty.', offset: undefined };
    // The parser's memory ends at a NUL character: it would silently ignore the rest.
    const nul = text.indexOf('\0');
    if (nul >= 0) return { message: 'The statement contains a NUL character.', offset: nul };
    try {
      return (parseSync(text).stmts ?? []).flatMap((raw) => (raw.stmt === undefined ? [] : [raw.stmt]));
    } catch (error) {
      return problemOf(error, text);
    }
  };

  return {
    classify(text) {
      const statements = parse(text);
      if ('message' in statements) return statements;
      const [statement, ...others] = statements;
      if (statement === undefined) return { message: 'There is no statement, only comments.', offset: undefined };
      if (others.length > 0) return { message: 'There is more than one statement.', offset: undefined };
      return impactOf(statement);
    },
    inverseHints(text) {
      const statements = parse(text);
      if ('message' in statements) return [`-- This statement cannot be parsed: ${statements.message}.`];
      return statements.toReversed().flatMap((statement) => inverseOf(statement));
    },
  };
}

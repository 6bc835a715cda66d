import type { Classifier, SqlDialect } from '../adapter/database.js';
import { withClassification, type ClassifiedFile, type UnparsableStatement } from '../pairing/classification.js';
import type { Pair } from '../pairing/pair.js';
import { assessRisk } from '../risk/assess.js';
import type { StatementImpact } from '../risk/change.js';
import type { Statement } from '../scripts/statement.js';

/** Gives every pair its risk and the findings of the parser. Slow in the number of statements; no trees are kept. */
export function classifyPairs(pairs: readonly Pair[], classifier: Classifier, dialect: SqlDialect): readonly Pair[] {
  return pairs.map((pair) => {
    const { migration, script } = pair;
    return withClassification(
      pair,
      {
        migration:
          migration === undefined || !migration.isSql
            ? undefined
            : classifyStatements(dialect.split(migration.sql).statements, classifier),
        rollback: script === undefined ? undefined : classifyStatements(script.statements, classifier),
      },
      assessRisk,
    );
  });
}

function classifyStatements(statements: readonly Statement[], classifier: Classifier): ClassifiedFile {
  const impacts: StatementImpact[] = [];
  const unparsable: UnparsableStatement[] = [];
  for (const statement of statements) {
    const result = classifier.classify(statement.text);
    if ('changes' in result) impacts.push(result);
    else unparsable.push({ statement, problem: result });
  }
  return { impacts, unparsable };
}

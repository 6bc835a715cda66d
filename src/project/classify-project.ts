import type { Classifier } from '../adapter/database.js';
import { createRedactor } from '../config/create-redactor.js';
import { FlybackError } from '../errors/error.js';
import { redactFinding } from '../errors/redact-error.js';
import type { Migration } from '../history/migration.js';
import { withClassification, type ClassifiedFile, type UnparsableStatement } from '../pairing/classification.js';
import type { Pair } from '../pairing/pair.js';
import { scriptMistakes } from '../pairing/script-mistakes.js';
import { assessRisk } from '../risk/assess.js';
import type { StatementImpact } from '../risk/change.js';
import { isUnread } from '../scripts/rollback-script.js';
import type { Statement } from '../scripts/statement.js';
import type { Project } from './project.js';

/**
 * Gives these pairs of a project their risk and the findings of the parser. Linear in the number of statements; no
 * trees are kept.
 */
export function classifyPairs(pairs: readonly Pair[], project: Project, classifier: Classifier): readonly Pair[] {
  const redact = createRedactor(project.config.secrets);
  const { dialect } = project.toolbox.database;
  return pairs.map((pair) => {
    const { migration, script } = pair;
    const classify = remembering(classifier);
    const classified = withClassification(
      pair,
      {
        migration:
          migration?.isSql === true
            ? classifyStatements(migrationStatements(migration, project), classifier)
            : undefined,
        rollback:
          script === undefined || isUnread(script) ? undefined : classifyStatements(script.statements, classify),
      },
      assessRisk,
    );
    const mistakes = script === undefined ? [] : scriptMistakes(script, classify, dialect, project.scriptSchema);
    // The parser quotes what it stumbled over.
    const findings = [...classified.findings, ...mistakes].map((finding) => redactFinding(finding, redact));
    return { ...classified, findings };
  });
}

/** Answers the second time without parsing again. */
function remembering(classifier: Pick<Classifier, 'classify'>): Pick<Classifier, 'classify'> {
  const known = new Map<string, ReturnType<Classifier['classify']>>();
  return {
    classify: (statement) => {
      const answer = known.get(statement) ?? classifier.classify(statement);
      known.set(statement, answer);
      return answer;
    },
  };
}

/** A migration's statements with its placeholders replaced; where one has no value, as they stand in the file. */
export function migrationStatements(migration: Migration, project: Project): readonly Statement[] {
  const { toolbox, config } = project;
  let { sql } = migration;
  if (migration.placeholderReplacement !== false) {
    try {
      sql = toolbox.history.replacePlaceholders(sql, config.tool, { ...project.placeholders, file: migration.file });
    } catch (error) {
      if (!(error instanceof FlybackError)) throw error;
    }
  }
  return toolbox.database.dialect.split(sql).statements;
}

function classifyStatements(
  statements: readonly Statement[],
  classifier: Pick<Classifier, 'classify'>,
): ClassifiedFile {
  const impacts: StatementImpact[] = [];
  const unparsable: UnparsableStatement[] = [];
  for (const statement of statements) {
    const result = classifier.classify(statement.text);
    if ('changes' in result) impacts.push(result);
    else unparsable.push({ statement, problem: result });
  }
  return { impacts, unparsable };
}

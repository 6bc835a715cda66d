import type { Project } from '../project/project.js';
import { migrationStatements } from '../project/classify-project.js';
import type { ObjectRef } from '../risk/change.js';

/**
 * Whether an object ("view public.top_sellers", "trigger t on public.orders") is made by a repeatable migration of the
 * project: no proof runs these, so their objects are none of its business. By their names, whatever the schema.
 */
export async function madeByRepeatables(project: Project): Promise<(subject: string) => boolean> {
  const repeatables = project.migrations.migrations.filter(({ kind, isSql }) => kind === 'repeatable' && isSql);
  if (repeatables.length === 0) return () => false;
  const classifier = await project.toolbox.database.loadClassifier();
  const patterns = repeatables.flatMap((migration) =>
    migrationStatements(migration, project).flatMap(({ text }) => {
      const impact = classifier.classify(text);
      const objects = 'objects' in impact ? impact.objects : [];
      // An index is named together with its table, which it does not make.
      const made = objects.filter(({ kind }) => kind !== 'table' || objects.every((other) => other.kind === 'table'));
      return made.map(patternOf);
    }),
  );
  return (subject) => patterns.some((pattern) => pattern.test(subject));
}

const typeKinds = 'composite type|domain|enum|multirange type|range type|type';
const routineKinds = 'aggregate|function|procedure';

function patternOf({ kind, name, member }: ObjectRef): RegExp {
  const schema = String.raw`(?:"(?:[^"]|"")*"|[^\s".]+)\.`;
  const relation = `(?:${schema})?${identifier(name)}`;
  if (member !== undefined) return new RegExp(`^${kind} ${identifier(member)} on ${relation}$`);
  if (routineKinds.split('|').includes(kind)) return new RegExp(String.raw`^(?:${routineKinds}) ${relation}\(`);
  if (typeKinds.split('|').includes(kind)) return new RegExp(`^(?:${typeKinds}) ${relation}$`);
  // A view comes with its columns.
  return new RegExp(String.raw`^(?:${kind} ${relation}|column ${relation}\..*)$`);
}

/** A name as the server writes it: in quotes where it needs them, and it may need them for being a keyword. */
function identifier(name: string): string {
  const quoted = `"${name.replaceAll('"', '""')}"`.replaceAll(/[\\^$.*+?()[\]{}|]/g, String.raw`\$&`);
  return /^[a-z_][a-z0-9_]*$/.test(name) ? `(?:${name}|${quoted})` : quoted;
}

import type { Session } from '../../../../src/adapter/database.js';
import type { CatalogPart, PartReading } from '../../../../src/adapter/proof-queries.js';
import type { QualifiedName } from '../../../../src/history/history.js';
import { quoteLiteral } from '../quoting.js';
import { shown, unshown } from './names.js';
import { ask, withPlainSettings } from './plain-reading.js';
import { leftOutNames, notIn, readObjects, sorted } from './read-catalog.js';

/**
 * Reads these relations with their parts, and every routine and event. `known`: names of relations that an earlier reading
 * was about. Asks nothing that ends a transaction.
 */
export async function readPart(
  session: Session,
  without: readonly QualifiedName[],
  part: CatalogPart,
  known: readonly string[],
): Promise<PartReading> {
  const own = session.facts.databaseName;
  const named = [
    ...part.relations.map(unshown),
    ...part.tables.flatMap(({ schema, name }) => (schema === undefined || schema === own ? [name] : [])),
  ];
  const ids = [...new Set([...known, ...named])];
  const isPlain = /^(?:table|view|sequence|column|column order|index|constraint|trigger)$/;
  return withPlainSettings(session, async () => {
    const objects = await readObjects(session, without, new Set(ids));
    const routines = new Set(part.routines);
    const leftOut = leftOutNames(session, without);
    const schema = quoteLiteral(own);
    const [names] = await ask(session, 'The list of objects', [
      `SELECT CASE TABLE_TYPE WHEN 'VIEW' THEN 'view' WHEN 'SEQUENCE' THEN 'sequence' ELSE 'table' END, TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = ${schema} AND ${notIn('TABLE_NAME', leftOut)}
UNION ALL SELECT LOWER(ROUTINE_TYPE), ROUTINE_NAME FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = ${schema}`,
    ]);
    return {
      catalog: {
        objects: sorted(
          objects.filter(({ kind, name }) => isPlain.test(kind) || kind === 'event' || routines.has(name)),
        ),
      },
      names: (names?.rows ?? []).map(([kind, name]) => `${kind ?? ''} ${shown(name ?? '')}`),
      ids,
    };
  });
}

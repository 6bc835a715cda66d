import type { ObjectFacts, ObjectQuestion, Session } from '../../../src/adapter/database.js';
import type { ObjectRef } from '../../../src/risk/change.js';

/** What information_schema says about objects. */
export async function readObjectFacts(
  _session: Session,
  refs: readonly ObjectRef[],
  _question: ObjectQuestion,
): Promise<readonly ObjectFacts[]> {
  return refs.map((ref) => ({ ref, exists: null, rows: null, bytes: null, alsoLocks: [], dependents: 1 }));
}

import type { Classifier } from '../../../src/adapter/database.js';
import { notTransactional } from './not-transactional.js';
export async function loadClassifier(): Promise<Classifier> {
  return { classify: (t) => { const w = notTransactional(t); return { changes: w === undefined ? ['update-data'] : ['drop-table'], objects: [], drops: [], cascade: false, writes: [], locks: [], work: 'none', dataLoss: 'no', notTransactional: w === undefined ? undefined : `${w} commits.`, transactionControl: false }; }, inverseHints: () => [] };
}

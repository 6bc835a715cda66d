import type { Classifier } from '../../../src/adapter/database.js';
import { FlybackError } from '../../../src/errors/error.js';

/** Reads what a statement does from its tokens. */
export async function loadClassifier(): Promise<Classifier> {
  throw new FlybackError('internal', 'Statements of MySQL are not classified yet.');
}

import type { Node } from 'libpg-query';
import { bodiesOf, bodyOf, dottedName } from './tree.js';

/** Whether an option is switched on; of two of the same name the later counts. Undefined when the list lacks it. */
export function switchOf(options: readonly Node[] | undefined, name: string): boolean | undefined {
  const option = bodiesOf(options, 'DefElem').findLast((element) => element.defname === name);
  if (option === undefined) return undefined;
  if (option.arg === undefined) return true;
  const number = bodyOf(option.arg, 'Integer');
  if (number !== undefined) return number.ival !== undefined && number.ival !== 0;
  const truth = bodyOf(option.arg, 'Boolean');
  if (truth !== undefined) return truth.boolval === true;
  return !['false', 'off'].includes(dottedName(option.arg).at(-1)?.toLowerCase() ?? '');
}

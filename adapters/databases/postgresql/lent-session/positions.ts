/*
 * The server counts characters; a text here is counted in UTF-16 units.
 */

/** UTF-16 index of the character with this number, from 0. */
export function indexOfCodePoint(text: string, number: number): number {
  let index = 0;
  for (let left = number; left > 0 && index < text.length; left--)
    index += (text.codePointAt(index) ?? 0) > 0xffff ? 2 : 1;
  return index;
}

/** How many characters lie before this UTF-16 index. */
export function codePointAt(text: string, index: number): number {
  let count = 0;
  for (let at = 0; at < index && at < text.length; count++) at += (text.codePointAt(at) ?? 0) > 0xffff ? 2 : 1;
  return count;
}

/** UTF-16 index of the character (code point) with this 0-based number; the text's length when there are fewer. */
export function utf16Index(text: string, codePoint: number): number {
  let index = 0;
  for (let passed = 0; passed < codePoint && index < text.length; passed++) {
    index += (text.codePointAt(index) ?? 0) > 0xffff ? 2 : 1;
  }
  return index;
}

import type { SourceLocation } from '../errors/error.js';
import type { RollbackScript } from './rollback-script.js';
import type { Statement } from './statement.js';

/**
 * Where in the file, or in what a down function sent: the server's position counts code points of the statement that was sent.
 */
export function locate(script: RollbackScript, statement: Statement, position: number | undefined): SourceLocation {
  let offset = statement.offset;
  if (position !== undefined) {
    let utf16 = 0;
    let codePoints = 1;
    for (const character of statement.text) {
      if (codePoints >= position) break;
      codePoints += 1;
      utf16 += character.length;
    }
    offset += utf16;
  }
  const before = script.text.slice(0, offset);
  const lineStart = Math.max(before.lastIndexOf('\n'), before.lastIndexOf('\r')) + 1;
  const rest = script.text.slice(lineStart);
  const lineText = /^[^\r\n]*/.exec(rest)?.[0] ?? '';
  const lines = before.match(/\r\n|\r|\n/g)?.length ?? 0;
  const file = script.source === 'function' ? `${script.file}, SQL of its down function` : script.file;
  return { file, line: lines + 1, column: offset - lineStart + 1, lineText };
}

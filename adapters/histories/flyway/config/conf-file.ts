/**
 * Reads a flyway.conf as Flyway's ConfigUtils.loadConfigurationFromString does: every line is trimmed, backslashes are
 * literal except one that continues a line, ${NAME} comes from the environment (missing: empty), the rest is Java's
 * Properties format. Never throws; a malformed \u from an environment variable is kept as written.
 */
export function parseConf(
  text: string,
  environment: Readonly<Record<string, string | undefined>>,
): ReadonlyMap<string, string> {
  const lines = text.replaceAll('\r\n', '\n').split('\n');
  // Java's String.split drops empty strings at the end, which decides whether a line is the last one.
  while (lines.length > 0 && lines.at(-1) === '') lines.pop();
  const prepared = lines.map((line, index) => {
    const doubled = trim(line).replaceAll('\\', '\\\\');
    const next = lines[index + 1];
    return doubled.endsWith('\\\\') && next !== undefined && continues(next) ? doubled.slice(0, -1) : doubled;
  });
  return parseProperties(expandVariables(prepared.map((line) => `${line}\n`).join(''), environment));
}

/** Whether a line that follows a backslash belongs to the same value. */
function continues(line: string): boolean {
  if (line === '') return false;
  if (!trim(line).startsWith('flyway.') || !line.includes('=')) return true;
  return !line.startsWith('shouldExecute') && (line.includes('==') || line.includes('!='));
}

function expandVariables(text: string, environment: Readonly<Record<string, string | undefined>>): string {
  let expanded = text;
  // Names are looked for in the original text only, so an expanded value does not bring in names of its own.
  for (const [reference, name] of text.matchAll(/\$\{([A-Za-z0-9_]+)\}/g)) {
    expanded = expanded.replaceAll(reference, () => environment[name ?? ''] ?? '');
  }
  return expanded;
}

/** Java's String.trim: everything up to U+0020, not only white space. */
function trim(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && text.charCodeAt(start) <= 32) start++;
  while (end > start && text.charCodeAt(end - 1) <= 32) end--;
  return text.slice(start, end);
}

/** java.util.Properties.load for text whose lines end in \n, \r or both. */
function parseProperties(text: string): ReadonlyMap<string, string> {
  const properties = new Map<string, string>();
  const lines = text.split(/\r\n|\r|\n/);
  for (let index = 0; index < lines.length; index++) {
    let line = (lines[index] ?? '').replace(/^[ \t\f]+/, '');
    if (line === '' || line.startsWith('#') || line.startsWith('!')) continue;
    // Java sees a new line after a lone backslash: what follows may be a comment or empty.
    if (line === '\\') continue;
    while (endsInBackslash(line)) {
      index++;
      line = line.slice(0, -1) + (lines[index] ?? '').replace(/^[ \t\f]+/, '');
      if (index >= lines.length) break;
    }
    const match = /^((?:\\[^]|[^\\=: \t\f])*)[ \t\f]*[=:]?[ \t\f]*([^]*)$/.exec(line);
    if (match !== null) properties.set(unescape(match[1] ?? ''), unescape(match[2] ?? ''));
  }
  return properties;
}

function endsInBackslash(line: string): boolean {
  return (/\\+$/.exec(line)?.[0].length ?? 0) % 2 === 1;
}

function unescape(text: string): string {
  return text.replaceAll(/\\(u[0-9A-Fa-f]{4}|[^])/g, (_, code: string) => {
    if (code.length === 5) return String.fromCharCode(parseInt(code.slice(1), 16));
    return { t: '\t', n: '\n', r: '\r', f: '\f' }[code] ?? code;
  });
}

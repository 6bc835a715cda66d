/** What `<script>.conf` beside a migration says; absent means: not said. */
export interface SideFile {
  readonly encoding?: string | undefined;
  readonly placeholderReplacement?: boolean | undefined;
  readonly executeInTransaction?: boolean | undefined;
  /** Keys that Flyway does not know and refuses, and values that are not what the key needs. */
  readonly problems: readonly string[];
}

/**
 * Reads the configuration of one script (SqlScriptMetadata of 13.0.0): `key=value` or `key: value` lines, comments with
 * # or !. shouldExecute is a feature of paid editions: known, not evaluated.
 */
export function parseSideFile(text: string): SideFile {
  const problems: string[] = [];
  let encoding: string | undefined;
  let placeholderReplacement: boolean | undefined;
  let executeInTransaction: boolean | undefined;
  for (const line of text.replace(/^\ufeff/, '').split(/\r\n|\r|\n/)) {
    const trimmed = line.trim();
    if (trimmed === '' || trimmed.startsWith('#') || trimmed.startsWith('!')) {
      continue;
    }
    const [, key = '', value = ''] = /^([^=:\s]*)\s*[=:\s]?\s*(.*)$/.exec(trimmed) ?? [];
    switch (key) {
      case 'encoding':
        encoding = value;
        break;
      case 'placeholderReplacement':
        placeholderReplacement = parseBoolean(key, value, problems);
        break;
      case 'executeInTransaction':
        executeInTransaction = parseBoolean(key, value, problems);
        break;
      case 'shouldExecute':
        break;
      default:
        problems.push(`unknown key ${key}`);
    }
  }
  return { encoding, placeholderReplacement, executeInTransaction, problems };
}

function parseBoolean(key: string, value: string, problems: string[]): boolean | undefined {
  const folded = value.toLowerCase();
  if (folded !== 'true' && folded !== 'false') {
    problems.push(`${key} must be true or false`);
    return undefined;
  }
  return folded === 'true';
}

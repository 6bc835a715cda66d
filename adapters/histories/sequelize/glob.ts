import { readdirSync, statSync } from 'node:fs';
import path from 'node:path';

/** A glob pattern as Umzug gets one, made ready to look for files. */
export interface Glob {
  readonly pattern: string;
  /** Absolute folder at which the search begins. */
  readonly root: string;
  /** Matches paths relative to the root, with "/" separators. */
  readonly matches: RegExp;
  /** Whether it reaches folders below those that it names. */
  readonly isRecursive: boolean;
}

/**
 * `*`, `?` and `[…]` within a name, `**` for any number of folders, `{a,b}` for one of several; as in tinyglobby, names that
 * begin with a dot are passed over. Undefined for what is written in another way (`!(…)`, `+(…)`, a leading `!`).
 */
export function readGlob(pattern: string, folder: string): Glob | undefined {
  const segments = pattern.replaceAll('\\', '/').split('/');
  if (pattern === '' || pattern.startsWith('!') || /[!+@?*]\(/.test(pattern)) return undefined;
  // The last segment names files, whether it is a pattern or not.
  const isPattern = (segment: string, at: number): boolean => at === segments.length - 1 || /[*?[{]/.test(segment);
  const first = segments.findIndex(isPattern);
  const fixed = segments.slice(0, first).join('/');
  const source = translate(segments.slice(first).join('/'));
  if (source === undefined) return undefined;
  return {
    pattern,
    root: path.resolve(folder, fixed === '' && pattern.startsWith('/') ? '/' : fixed),
    matches: new RegExp(`^${source}$`, 's'),
    isRecursive: pattern.includes('**'),
  };
}

function translate(text: string): string | undefined {
  let source = '';
  let depth = 0;
  for (let at = 0; at < text.length; at += 1) {
    const character = text.charAt(at);
    const startsName = at === 0 || text.charAt(at - 1) === '/';
    const noDot = startsName ? String.raw`(?!\.)` : '';
    if (text.startsWith('**/', at) && startsName) {
      source += String.raw`(?:(?!\.)[^/]+/)*`;
      at += 2;
    } else if (character === '*') {
      while (text.charAt(at + 1) === '*') at += 1;
      source += `${noDot}[^/]*`;
    } else if (character === '?') {
      source += `${noDot}[^/]`;
    } else if (character === '[') {
      const end = text.indexOf(']', at + 2);
      if (end < 0) return undefined;
      const inner = text.slice(at + 1, end).replaceAll(/[\\[]/g, String.raw`\$&`);
      source += `[${inner.replace(/^!/, '^')}]`;
      at = end;
    } else if (character === '{') {
      depth += 1;
      source += '(?:';
    } else if (character === '}' && depth > 0) {
      depth -= 1;
      source += ')';
    } else if (character === ',' && depth > 0) {
      source += '|';
    } else {
      source += character.replaceAll(/[\\^$+{}()|[\].]/g, String.raw`\$&`);
    }
  }
  return depth === 0 ? source : undefined;
}

/** Files that match, absolute and in the order of their paths; undefined when the folder is not there. */
export function findFiles({ root, matches, pattern }: Glob): readonly string[] | undefined {
  const depth = pattern.includes('**') ? Number.POSITIVE_INFINITY : matches.source.split('/').length;
  const found: string[] = [];
  const visit = (folder: string, relative: string, level: number): void => {
    for (const entry of readdirSync(folder, { withFileTypes: true })) {
      const name = relative === '' ? entry.name : `${relative}/${entry.name}`;
      const file = path.join(folder, entry.name);
      const isFolder = entry.isDirectory() || (entry.isSymbolicLink() && isFolderBehind(file));
      // A linked folder is not entered below "**": it may lead back to where it lies.
      if (isFolder && entry.name !== 'node_modules' && level < depth && !(entry.isSymbolicLink() && depth > 100)) {
        visit(file, name, level + 1);
      } else if (!isFolder && matches.test(name)) {
        found.push(file);
      }
    }
  };
  try {
    visit(root, '', 1);
  } catch {
    return undefined;
  }
  return found.sort();
}

function isFolderBehind(link: string): boolean {
  try {
    return statSync(link).isDirectory();
  } catch {
    return false;
  }
}

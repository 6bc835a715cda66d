import { accessSync, constants, readdirSync, statSync, realpathSync, type Dirent } from 'node:fs';
import path from 'node:path';
import type { Finding } from '../../../src/errors/finding.js';

/** A file below a location, before its name has been looked at. */
export interface LocatedFile {
  /** Absolute path. */
  readonly file: string;
  /** Path relative to its location with "/" separators, as Flyway stores it. */
  readonly script: string;
}

export interface LocatedFiles {
  /** In the order of their paths, location by location. */
  readonly files: readonly LocatedFile[];
  /** Absolute folders whose files are scanned, subfolders included. */
  readonly folders: readonly string[];
  readonly findings: readonly Finding[];
}

/** A configured location that lies on this machine. */
interface Location {
  readonly descriptor: string;
  /** Absolute folder at which scanning begins. */
  readonly root: string;
  /** For wildcard locations: matches paths relative to the root, with "/" separators. */
  readonly pattern: RegExp | undefined;
}

/**
 * Lists the files of Flyway's locations: `filesystem:` folders against the working directory, `classpath:` packages (also
 * the meaning of a missing prefix) as src/main/resources of the project, for a class path itself is out of reach here.
 * Follows LocationParser, Locations and FileSystemScanner of 13.0.0: recursive, hidden folders left out, a location
 * inside another one dropped, a missing one skipped.
 */
export function locateFiles(descriptors: readonly string[], workingDirectory: string): LocatedFiles {
  const findings: Finding[] = [];
  const locations: Location[] = [];
  for (const descriptor of descriptors) {
    const parsed = parseLocation(descriptor.trim(), workingDirectory);
    if ('root' in parsed) {
      locations.push(parsed);
    } else {
      findings.push(parsed);
    }
  }

  const files: LocatedFile[] = [];
  const folders = new Set<string>();
  for (const location of withoutSublocations(locations)) {
    const problem = describeUnusable(location.root);
    if (problem !== undefined) {
      findings.push(missingLocation(location, problem));
      continue;
    }
    scan(location, files, folders);
  }
  return { files, folders: [...folders], findings };
}

function parseLocation(descriptor: string, workingDirectory: string): Location | Finding {
  const separatorAt = /^[A-Za-z]:[\\/]/.test(descriptor) ? -1 : descriptor.indexOf(':');
  const prefix = separatorAt < 0 ? 'classpath' : descriptor.slice(0, separatorAt).toLowerCase();
  const rawPath = separatorAt < 0 ? descriptor : descriptor.slice(separatorAt + 1);
  if (prefix !== 'filesystem' && prefix !== 'classpath') {
    return {
      code: 'location-unsupported',
      severity: 'error',
      subject: descriptor,
      message: `The location ${descriptor} cannot be read: flyback reads filesystem: and classpath: locations only.`,
      hint: 'Copy the migrations to a folder and name it with filesystem:, for example through FLYWAY_LOCATIONS.',
    };
  }
  const base = prefix === 'filesystem' ? workingDirectory : path.join(workingDirectory, 'src', 'main', 'resources');
  const relative = prefix === 'filesystem' ? rawPath : rawPath.replace(/^\/+/, '');
  const segments = relative.split(/[\\/]/);
  const firstWildcard = segments.findIndex((segment) => /[*?]/.test(segment));
  if (firstWildcard < 0) {
    return { descriptor, root: path.resolve(base, relative), pattern: undefined };
  }
  const rootPath = segments.slice(0, firstWildcard).join('/');
  return {
    descriptor,
    root: path.resolve(base, rootPath === '' && relative.startsWith('/') ? '/' : rootPath),
    pattern: compileWildcards(segments.slice(firstWildcard)),
  };
}

/** `**` is any number of folders, `*` one or more characters, `?` one; a last segment with a dot names files. */
function compileWildcards(segments: readonly string[]): RegExp {
  let pattern = '';
  let separator = '';
  let endsInFile = false;
  for (const segment of segments) {
    pattern += separator;
    endsInFile = false;
    if (segment === '**') {
      pattern += '(?:[^/]+/)*?';
      separator = '';
      continue;
    }
    endsInFile = segment.includes('.');
    separator = '/';
    pattern += segment
      .replaceAll(/[\\^$+{}()|[\].]/g, String.raw`\$&`)
      .replaceAll('?', '[^/]')
      .replaceAll('*', '[^/]+?');
  }
  // Flyway writes the separator after a closing ** as well, so such a pattern needs one folder more.
  return new RegExp(`^${pattern}${endsInFile ? '' : '/(?<below>.*)'}$`, 's');
}

function withoutSublocations(locations: readonly Location[]): readonly Location[] {
  const kept: Location[] = [];
  for (const location of locations) {
    const isCovered = (other: Location, index: number): boolean =>
      location.pattern === undefined && other.pattern === undefined
        ? other.root === location.root
          ? index < locations.indexOf(location)
          : isInside(location.root, other.root)
        : other.descriptor === location.descriptor && index < locations.indexOf(location);
    if (!locations.some((other, index) => other !== location && isCovered(other, index))) {
      kept.push(location);
    }
  }
  return kept;
}

/** True if a path lies inside a folder, at any depth; a folder is not inside itself. Both absolute. */
export function isInside(file: string, folder: string): boolean {
  const relative = path.relative(folder, file);
  return relative !== '' && relative !== '..' && !relative.startsWith(`..${path.sep}`) && !path.isAbsolute(relative);
}

function describeUnusable(folder: string): string | undefined {
  try {
    if (!statSync(folder).isDirectory()) {
      return 'is not a folder';
    }
    accessSync(folder, constants.R_OK);
    return undefined;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT' ? 'does not exist' : 'cannot be read';
  }
}

function missingLocation(location: Location, problem: string): Finding {
  const isPackage = !location.descriptor.toLowerCase().startsWith('filesystem:');
  return {
    code: 'location-missing',
    severity: 'warning',
    subject: location.descriptor,
    message: `The location ${location.descriptor} was skipped: ${location.root} ${problem}.`,
    hint: isPackage
      ? 'flyback looks for class path locations under src/main/resources; name the folder itself with filesystem:.'
      : 'Correct flyway.locations, or the folder that relative locations start from (flyway.workingDirectory).',
  };
}

function scan(location: Location, files: LocatedFile[], folders: Set<string>): void {
  const { root, pattern } = location;
  if (pattern === undefined) {
    folders.add(root);
  }
  const visit = (folder: string, relativeFolder: string, ancestors: readonly string[]): void => {
    const entries = readFolder(folder);
    let isMatched = false;
    for (const entry of entries) {
      const file = path.join(folder, entry.name);
      const relative = relativeFolder === '' ? entry.name : `${relativeFolder}/${entry.name}`;
      const kind = entry.isSymbolicLink() ? kindBehindLink(file) : kindOf(entry);
      if (kind === 'folder' && !entry.name.startsWith('.')) {
        const real = entry.isSymbolicLink() ? realpathSync(file) : file;
        if (!ancestors.includes(real)) {
          visit(file, relative, [...ancestors, real]);
        }
      } else if (kind === 'file') {
        const match = pattern?.exec(relative);
        if (pattern === undefined || match) {
          isMatched = true;
          files.push({ file, script: match?.groups?.['below'] ?? relative });
        }
      }
    }
    // A folder of a wildcard location counts as scanned as soon as a file of it is, or a rollback script would be.
    if (pattern !== undefined && (isMatched || pattern.test(`${relativeFolder}/R__probe.sql`))) {
      folders.add(folder);
    }
  };
  visit(root, '', [realpathSync(root)]);
}

function readFolder(folder: string): readonly Dirent[] {
  try {
    return readdirSync(folder, { withFileTypes: true }).sort((a, b) =>
      a.name < b.name ? -1 : a.name > b.name ? 1 : 0,
    );
  } catch {
    // Flyway too skips what it may not read.
    return [];
  }
}

function kindOf(entry: Dirent): 'file' | 'folder' | 'other' {
  return entry.isDirectory() ? 'folder' : entry.isFile() ? 'file' : 'other';
}

function kindBehindLink(file: string): 'file' | 'folder' | 'other' {
  try {
    const target = statSync(file);
    return target.isDirectory() ? 'folder' : target.isFile() ? 'file' : 'other';
  } catch {
    return 'other';
  }
}

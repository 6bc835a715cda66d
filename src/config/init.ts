import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { isMark, type MigrationTools } from '../adapter/migration-tool.js';
import { FlybackError } from '../errors/error.js';
import type { Finding } from '../errors/finding.js';
import { configFileName } from './load-config.js';

/** What a look at the project folder shows. Folders are relative to it, with "/". */
export interface ProjectFacts {
  readonly configFiles: readonly string[];
  /** Build files that mention Flyway. */
  readonly buildFiles: readonly string[];
  /** Folders that directly hold files named like versioned migrations. */
  readonly migrationFolders: readonly string[];
  /** Flyway's locations when its own configuration names some, else empty. */
  readonly locations: readonly string[];
  readonly hasFlybackConfig: boolean;
  /** Another tool than Flyway, where nothing speaks for Flyway. */
  readonly other?: OtherTool | undefined;
}

export interface OtherTool {
  /** Its name in flyback.toml. */
  readonly tool: string;
  /** What it was recognised by. */
  readonly evidence: string;
  /** Lines for flyback.toml. */
  readonly settings: string;
}

/** What `init` is going to do. Errors among the findings mean: nothing may be written. */
export interface InitPlan {
  /** What the tool was recognised by, for a person; undefined when nothing was found. */
  readonly evidence: string | undefined;
  /** The whole text of flyback.toml. */
  readonly configText: string;
  /** Folders to create, relative to the project. */
  readonly folders: readonly string[];
  readonly findings: readonly Finding[];
}

const classpathFolder = 'src/main/resources';

/** Decides what a project needs. Pure: the same facts give the same plan. */
export function planInit(facts: ProjectFacts, rollbacksFolder = 'rollbacks'): InitPlan {
  const findings: Finding[] = [];
  const evidence = describe(facts);
  if (facts.hasFlybackConfig) {
    findings.push({
      code: 'init-exists',
      severity: 'error',
      subject: configFileName,
      message: `${configFileName} exists already and is not overwritten.`,
      hint: `Edit it, or remove it and run init again.`,
    });
  }
  if (evidence === undefined) {
    findings.push({
      code: 'init-nothing-found',
      severity: 'warning',
      subject: 'project',
      message: 'No configuration, build file or migration of a migration tool was found here.',
      hint: 'Run init in the folder with flyway.toml, flyway.conf, pom.xml or build.gradle, or say which tool it is: tool in flyback.toml.',
    });
  }
  if (!isInside(rollbacksFolder, '.') || path.posix.normalize(rollbacksFolder) === '.') {
    findings.push({
      code: 'init-folder-outside',
      severity: 'error',
      subject: rollbacksFolder,
      message: `The rollbacks folder ${rollbacksFolder} is not a folder below the project.`,
      hint: 'Choose a folder inside the project, such as rollbacks.',
    });
  }
  const scanned = new Set([
    ...facts.locations.flatMap((location) => folderOfLocation(location) ?? []),
    ...facts.migrationFolders,
  ]);
  for (const folder of scanned) {
    if (!isInside(rollbacksFolder, folder)) continue;
    findings.push({
      code: 'rollbacks-folder-scanned',
      severity: 'error',
      subject: rollbacksFolder,
      message: `The rollbacks folder ${rollbacksFolder} would lie inside ${folder}, which Flyway scans: it would execute R__….sql files there as repeatable migrations.`,
      hint: 'Choose a folder outside every location, or narrow the location.',
    });
  }
  const configured = new Set(facts.locations.flatMap((location) => folderOfLocation(location) ?? []));
  const defaults = ['sql', `${classpathFolder}/db/migration`];
  const unconfigured = facts.migrationFolders.filter(
    (folder) => !defaults.includes(folder) && ![...configured].some((known) => isInside(folder, known)),
  );
  if (facts.locations.length === 0 && unconfigured.length > 0) {
    const folder = unconfigured[0] ?? '';
    findings.push({
      code: 'init-locations-unknown',
      severity: 'warning',
      subject: folder,
      message: `Migrations were found in ${unconfigured.join(', ')}, but no Flyway configuration that flyback can read names that folder.`,
      hint: `Set FLYWAY_LOCATIONS=filesystem:${folder}, or write a flyway.toml with [flyway] and locations = ["filesystem:${folder}"].`,
    });
  }
  return { evidence, configText: configText(rollbacksFolder, facts.other), folders: [rollbacksFolder], findings };
}

function describe(facts: ProjectFacts): string | undefined {
  if (facts.other !== undefined) return facts.other.evidence;
  const [config] = facts.configFiles;
  if (config !== undefined) return `Flyway, by ${config}`;
  const [build] = facts.buildFiles;
  if (build !== undefined) return `Flyway, by ${build}`;
  const [folder] = facts.migrationFolders;
  return folder === undefined ? undefined : `Flyway, by the migrations in ${folder}`;
}

function configText(rollbacksFolder: string, other: OtherTool | undefined): string {
  if (other !== undefined) {
    return `tool = ${JSON.stringify(other.tool)}
# R<version>__<description>.sql files.
rollbacks = ${JSON.stringify(rollbacksFolder)}
${other.settings}`;
  }
  return `# What flyback needs beside Flyway's own configuration (flyway.toml, flyway.conf, FLYWAY_… variables).
tool = "flyway"
# R<version>__<description>.sql files. Keep this folder outside every Flyway location.
rollbacks = ${JSON.stringify(rollbacksFolder)}
`;
}

/** The folder that a location scans, relative to the project; undefined for places that are no folders here. */
function folderOfLocation(location: string): string | undefined {
  const match = /^(?:(\w+):)?(.*)$/.exec(location);
  const kind = match?.[1] ?? 'classpath';
  const segments = (match?.[2] ?? '').split('/');
  const wildcard = segments.findIndex((segment) => /[*?]/.test(segment));
  const fixed = (wildcard === -1 ? segments : segments.slice(0, wildcard)).join('/');
  if (kind === 'filesystem') return fixed === '' ? '.' : fixed;
  if (kind === 'classpath') return path.posix.join(classpathFolder, fixed.replace(/^\/+/, ''));
  return undefined;
}

function isInside(folder: string, parent: string): boolean {
  const relative = path.posix.relative(path.posix.normalize(parent), path.posix.normalize(folder));
  return relative === '' || (!relative.startsWith('..') && !path.posix.isAbsolute(relative));
}

export interface InitOptions {
  readonly rollbacksFolder?: string | undefined;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly homeFolder: string;
  readonly tools: MigrationTools;
}

export interface InitResult extends InitPlan {
  /** Paths that were written, relative to the project. */
  readonly written: readonly string[];
}

/**
 * Sets a project up: writes flyback.toml and makes the rollbacks folder. Throws FlybackError project-not-found, or
 * usage-invalid when the plan has errors or a file would be overwritten; then nothing has been written.
 */
export async function initProject(folder: string, options: InitOptions): Promise<InitResult> {
  const projectFolder = path.resolve(folder);
  const facts = await inspectProject(projectFolder, options);
  const plan = planInit(facts, options.rollbacksFolder);
  const errors = plan.findings.filter((finding) => finding.severity === 'error');
  const [first] = errors;
  if (first !== undefined)
    throw new FlybackError('usage-invalid', first.message, { hint: first.hint, findings: errors });
  try {
    // "wx": a file that appeared since the look at the folder is not overwritten either.
    await writeFile(path.join(projectFolder, configFileName), plan.configText, { flag: 'wx' });
    for (const created of plan.folders) await mkdir(path.join(projectFolder, created), { recursive: true });
  } catch (cause) {
    throw new FlybackError(
      'usage-invalid',
      `Cannot set up ${projectFolder}: ${(cause as NodeJS.ErrnoException).code ?? 'writing failed'}.`,
      {
        hint: 'Make the folder writable, and see that no file has the name of the rollbacks folder.',
        cause,
      },
    );
  }
  return { ...plan, written: [configFileName, ...plan.folders] };
}

/** Looks at a project folder; reads names of files and at most the build files and Flyway's configuration. */
export async function inspectProject(
  projectFolder: string,
  options: Omit<InitOptions, 'rollbacksFolder'>,
): Promise<ProjectFacts> {
  let names: readonly string[];
  try {
    names = await readdir(projectFolder);
  } catch (cause) {
    throw new FlybackError(
      'project-not-found',
      `Cannot look into ${projectFolder}: ${(cause as NodeJS.ErrnoException).code ?? 'unreadable'}.`,
      {
        hint: 'Name an existing folder.',
        cause,
      },
    );
  }
  const configFiles = ['flyway.toml', 'flyway.user.toml', 'flyway.conf'].filter((name) => names.includes(name));
  const buildFiles: string[] = [];
  for (const name of ['pom.xml', 'build.gradle', 'build.gradle.kts'].filter((known) => names.includes(known))) {
    if (/flyway/i.test(await readFile(path.join(projectFolder, name), 'utf8'))) buildFiles.push(name);
  }
  const flyway = options.tools['flyway'];
  if (flyway === undefined) throw new FlybackError('internal', 'There is no adapter for Flyway.');
  const reading = await flyway.readConfig({
    projectFolder,
    homeFolder: options.homeFolder,
    environment: options.environment,
    configFiles: [],
    workingDirectory: undefined,
    overrides: {},
    own: new Map(),
    password: undefined,
  });
  const configured = (reading.sources['locations'] ?? 'default') !== 'default';
  const migrationFolders = await findMigrationFolders(projectFolder, /^V\d[\d._]*__.*\.sql$/);
  const isFlyway = configFiles.length + buildFiles.length + migrationFolders.length > 0;
  return {
    configFiles,
    buildFiles,
    migrationFolders,
    other: isFlyway ? undefined : await findOtherTool(projectFolder, names, options.tools),
    locations: configured ? reading.locations.map((location) => relativeLocation(location, projectFolder)) : [],
    hasFlybackConfig: names.includes(configFileName),
  };
}

function relativeLocation(location: string, projectFolder: string): string {
  const absolute = /^filesystem:(\/.*)$/.exec(location)?.[1];
  if (absolute === undefined) return location;
  return `filesystem:${path.relative(projectFolder, absolute).split(path.sep).join('/') || '.'}`;
}

const skippedFolders = new Set(['node_modules', 'target', 'build', 'dist', 'out', 'bin', 'vendor']);
const deepestLevel = 8;

/** By the tool's own files, else by names of migrations. */
async function findOtherTool(
  projectFolder: string,
  names: readonly string[],
  tools: MigrationTools,
): Promise<OtherTool | undefined> {
  for (const [tool, { marks, history }] of Object.entries(tools)) {
    const mark = tool === 'flyway' ? undefined : names.find((name) => marks.some((known) => isMark(name, known)));
    if (mark !== undefined) return { tool, evidence: `${history.words.name}, by ${mark}`, settings: '' };
  }
  for (const [tool, { guess, history }] of Object.entries(tools)) {
    if (guess === undefined) continue;
    const [folder] = await findMigrationFolders(projectFolder, guess.migrations);
    if (folder === undefined) continue;
    const evidence = `${history.words.name}, by the migrations in ${folder}`;
    return { tool, evidence, settings: guess.settings(folder) };
  }
  return undefined;
}

async function findMigrationFolders(root: string, migrationName: RegExp): Promise<readonly string[]> {
  const found: string[] = [];
  const visit = async (relative: string, level: number): Promise<void> => {
    const entries = await readdir(path.join(root, relative), { withFileTypes: true }).catch(() => []);
    if (entries.some((entry) => entry.isFile() && migrationName.test(entry.name)))
      found.push(relative === '' ? '.' : relative);
    if (level >= deepestLevel) return;
    for (const entry of entries) {
      if (!entry.isDirectory() || entry.name.startsWith('.') || skippedFolders.has(entry.name)) continue;
      await visit(relative === '' ? entry.name : `${relative}/${entry.name}`, level + 1);
    }
  };
  await visit('', 0);
  return found.sort();
}

import { stat } from 'node:fs/promises';
import path from 'node:path';
import { Secret } from '../../../../src/config/config.js';
import type { FlywaySettings } from '../settings.js';
import {
  isSecretName,
  type Sourced,
  type ToolConfigReading,
  type ToolConfigRequest,
} from '../../../../src/config/readers.js';
import { parseToml } from '../../../../src/config/toml.js';
import type { Finding } from '../../../../src/errors/finding.js';
import { parseConf } from './conf-file.js';
import { findConfigFiles, readConfigText } from './files.js';
import { type EnvironmentKey, environmentKeys, type FlywayKey, flywayKeys, notPerEnvironment } from './keys.js';
import {
  type Layer,
  layerOfConf,
  layerOfToml,
  layerOfVariables,
  layersOfTomlVariables,
  mergeLayers,
  type Setting,
} from './layers.js';
import { resolveValue } from './resolvers.js';

/**
 * Reads Flyway's configuration from its files and variables with Flyway's own precedence (Flyway 13:
 * ModernConfigurationManager for TOML, LegacyConfigurationManager for .conf). Only the active environment is resolved,
 * and of it only what is not overridden. Never throws for bad input: every problem is a finding that names its source.
 */
export async function readFlywayConfig(request: ToolConfigRequest): Promise<ToolConfigReading<FlywaySettings>> {
  const { mode, files, findings: fileFindings } = await findConfigFiles(request);
  const findings: Finding[] = [...fileFindings, ...[...request.own.keys()].map(ownKey)];
  const fromFiles: Layer[] = [];
  for (const file of files) {
    const text = await readConfigText(
      file,
      mode === 'toml' ? 'utf-8' : (request.environment['FLYWAY_CONFIG_FILE_ENCODING'] ?? 'utf-8'),
    );
    if (typeof text !== 'string') {
      findings.push(text);
    } else if (mode === 'conf') {
      fromFiles.push(layerOfConf(parseConf(text, request.environment), file.label));
    } else {
      const reading = await parseToml(text, file.file, file.label);
      if ('finding' in reading) {
        findings.push(reading.finding);
      } else {
        const reject = (key: string, problem: string): void => {
          findings.push(invalid(`${file.label} ${key}`, problem, `Write [${key}] and its keys below.`));
        };
        fromFiles.push(layerOfToml(reading.document, file.label, reject));
      }
    }
  }
  const named = request.overrides.environment;
  if (mode === 'conf' && named !== undefined && named.value !== 'default') {
    findings.push(
      invalid(
        named.source,
        `names the environment "${named.value}", but flyway.conf has no environments`,
        'Move the configuration to flyway.toml, or leave the environment out.',
      ),
    );
  }
  const active = (variables: ReadonlyMap<string, Setting>): string =>
    String(
      named?.value ??
        variables.get('environment')?.value ??
        mergeLayers(fromFiles).flyway.get('environment')?.value ??
        'default',
    );
  const fromVariables =
    mode === 'conf'
      ? [layerOfVariables(request.environment, 'default')]
      : layersOfTomlVariables(request.environment, active);
  const merged = mergeLayers([...fromFiles, ...fromVariables]);
  const environmentName = mode === 'conf' ? 'default' : active(merged.flyway);
  checkEnvironmentVariable(request, mode, environmentName, findings);

  const reader = new SettingReader(request, merged, environmentName, mode, findings);
  const placeholders = reader.placeholders();
  const known = merged.environments.has(environmentName) || ['default', '-'].includes(environmentName);
  if (!known && request.overrides.url === undefined) {
    const names = [...merged.environments.keys()];
    findings.push({
      code: 'config-environment-unknown',
      severity: 'error',
      subject: named?.source ?? merged.flyway.get('environment')?.source ?? 'environment',
      message: `Flyway's configuration has no environment "${environmentName}" (named by ${named?.source ?? merged.flyway.get('environment')?.source ?? 'default'}).`,
      hint:
        names.length === 0
          ? `Add [environments.${environmentName}] to flyway.toml.`
          : `Use one of ${names.join(', ')}, or add [environments.${environmentName}] to flyway.toml.`,
    });
  }
  if (mode === 'toml') warnOfMisplacedKeys(merged.flyway, environmentName, findings);

  const settings = await reader.settings(request, placeholders);
  const connection =
    environmentName === '-' && request.overrides.url === undefined ? undefined : reader.connection(request);
  return {
    settings,
    locations: settings.locations,
    connection,
    sources: reader.sources,
    secrets: reader.secrets,
    findings,
  };
}

/** The drivers that Flyway takes by itself for a URL of a database that flyback knows. */
const plainDrivers: readonly string[] = [
  'org.postgresql.Driver',
  'org.mariadb.jdbc.Driver',
  'com.mysql.cj.jdbc.Driver',
  'com.mysql.jdbc.Driver',
];

function invalid(source: string, problem: string, hint: string): Finding {
  return { code: 'config-value-invalid', severity: 'error', subject: source, message: `${source} ${problem}.`, hint };
}

/**
 * Flyway maps no variable FLYWAY_ENVIRONMENT (ConfigUtils.convertKey), only flyway_environment. Someone who sets the
 * former expects another database than Flyway uses; flyback must not guess which of the two is meant.
 */
function checkEnvironmentVariable(
  request: ToolConfigRequest,
  mode: 'toml' | 'conf',
  active: string,
  findings: Finding[],
): void {
  const wanted = request.environment['FLYWAY_ENVIRONMENT'];
  if (
    wanted === undefined ||
    wanted === '' ||
    wanted === active ||
    request.overrides.environment !== undefined ||
    mode === 'conf'
  )
    return;
  findings.push({
    code: 'config-environment-ambiguous',
    severity: 'error',
    subject: 'FLYWAY_ENVIRONMENT',
    message: `FLYWAY_ENVIRONMENT says "${wanted}", but Flyway does not read that variable and would use "${active}".`,
    hint: `Say which one you mean: --environment ${wanted} (or FLYBACK_ENVIRONMENT); Flyway itself reads flyway_environment.`,
  });
}

function warnOfMisplacedKeys(flyway: ReadonlyMap<string, Setting>, environment: string, findings: Finding[]): void {
  for (const [key, { source }] of flyway) {
    const first = key.split('.')[0] ?? key;
    if (!Object.hasOwn(environmentKeys, first) && first !== 'jdbcProperties') continue;
    findings.push({
      code: 'config-key-misplaced',
      severity: 'warning',
      subject: source,
      message: `${source} has no effect: in TOML this key belongs to an environment.`,
      hint: `Move it to [environments.${environment}].`,
    });
  }
}

/** Flyway has a place of its own for everything. */
function ownKey(key: string): Finding {
  return invalid(`flyback.toml flyway.${key}`, 'has no place there', 'Write it into flyway.toml or flyway.conf.');
}

/** Typed access to the merged settings; notes sources, secrets and findings as it goes. */
class SettingReader {
  readonly sources: Record<string, string> = {};
  readonly secrets: Secret[] = [];
  readonly #request: ToolConfigRequest;
  readonly #merged: Layer;
  readonly #environmentName: string;
  readonly #active: ReadonlyMap<string, Setting>;
  readonly #mode: 'toml' | 'conf';
  readonly #findings: Finding[];
  #placeholders: ReadonlyMap<string, string> = new Map();

  constructor(
    request: ToolConfigRequest,
    merged: Layer,
    environmentName: string,
    mode: 'toml' | 'conf',
    findings: Finding[],
  ) {
    this.#request = request;
    this.#merged = merged;
    this.#environmentName = environmentName;
    this.#active = merged.environments.get(environmentName) ?? new Map<string, Setting>();
    this.#mode = mode;
    this.#findings = findings;
  }

  /** Placeholders of the environment replace those of [flyway] as a whole (ClassicConfiguration.getPlaceholders). */
  placeholders(): ReadonlyMap<string, string> {
    const own = [...this.#active].filter(([key]) => key.startsWith('flyway.placeholders.'));
    const shared = [...this.#merged.flyway].filter(([key]) => key.startsWith('placeholders.'));
    const result = new Map<string, string>();
    for (const [key, setting] of own.length > 0 ? own : shared) {
      const name = key.slice(key.indexOf('placeholders.') + 'placeholders.'.length);
      const value =
        own.length > 0
          ? String(setting.value)
          : this.#resolve(String(setting.value), setting.source, this.#mode === 'toml');
      if (value === undefined) continue;
      if (name.startsWith('flyway:')) {
        this.#findings.push(
          invalid(
            setting.source,
            'begins with "flyway:", which Flyway keeps for its own placeholders',
            'Choose another name.',
          ),
        );
        continue;
      }
      result.set(name, value);
      this.sources[`placeholders.${name}`] = setting.source;
      // Very short values are no secrets worth hiding, and hiding them would garble every message.
      if (isSecretName(name) && value.length >= 4) this.secrets.push(new Secret(value));
    }
    this.#placeholders = result;
    return result;
  }

  async settings(request: ToolConfigRequest, placeholders: ReadonlyMap<string, string>): Promise<FlywaySettings> {
    const workingDirectory = path.resolve(request.projectFolder, request.workingDirectory ?? '.');
    this.sources['environment'] =
      this.#request.overrides.environment?.source ?? this.#merged.flyway.get('environment')?.source ?? 'default';
    if (this.#boolean('detectEncoding', false)) {
      this.#findings.push({
        code: 'config-key-ignored',
        severity: 'warning',
        subject: this.sources['detectEncoding'] ?? 'detectEncoding',
        message:
          'detectEncoding is a paid feature of Flyway that flyback does not have: migrations are read in the configured encoding.',
        hint: 'Set encoding to the encoding of your migrations.',
      });
    }
    const lockRetryCount = this.#integer('lockRetryCount', 50);
    const settings: FlywaySettings = {
      tool: 'flyway',
      environment: this.#environmentName,
      defaultSchema: this.#optionalText('defaultSchema'),
      schemas: this.#schemas(),
      table: this.#text('table', 'flyway_schema_history'),
      locations: await this.#locations(workingDirectory),
      callbackLocations: this.#list('callbackLocations', []),
      workingDirectory,
      sqlMigrationPrefix: this.#text('sqlMigrationPrefix', 'V'),
      repeatableSqlMigrationPrefix: this.#text('repeatableSqlMigrationPrefix', 'R'),
      undoSqlMigrationPrefix: this.#text('undoSqlMigrationPrefix', 'U'),
      baselineMigrationPrefix: this.#text('baselineMigrationPrefix', 'B'),
      sqlMigrationSeparator: this.#text('sqlMigrationSeparator', '__'),
      sqlMigrationSuffixes: this.#list('sqlMigrationSuffixes', ['.sql']),
      encoding: this.#text('encoding', 'UTF-8'),
      placeholders: Object.fromEntries(placeholders),
      placeholderReplacement: this.#boolean('placeholderReplacement', true),
      placeholderPrefix: this.#text('placeholderPrefix', '${'),
      placeholderSuffix: this.#text('placeholderSuffix', '}'),
      placeholderSeparator: this.#text('placeholderSeparator', ':'),
      outOfOrder: this.#boolean('outOfOrder', false),
      validateOnMigrate: this.#boolean('validateOnMigrate', true),
      ignoreMigrationPatterns: this.#list('ignoreMigrationPatterns', ['*:future']),
      validateMigrationNaming: this.#boolean('validateMigrationNaming', false),
      group: this.#boolean('group', false),
      mixed: this.#boolean('mixed', false),
      executeInTransaction: this.#boolean('executeInTransaction', true),
      lockRetryCount,
      transactionalLock: this.#boolean('postgresql.transactional.lock', true),
      installedBy: this.#optionalText('installedBy'),
    };
    if (lockRetryCount < -1) {
      this.#findings.push(
        invalid(
          this.sources['lockRetryCount'] ?? 'lockRetryCount',
          'must be -1 (for ever), 0 or more',
          "Flyway's default is 50.",
        ),
      );
    }
    return settings;
  }

  connection(request: ToolConfigRequest): ToolConfigReading['connection'] {
    const url = request.overrides.url ?? this.#environmentText('url');
    const driver = this.#environmentText('driver');
    if (driver !== undefined && !plainDrivers.includes(driver.value) && request.overrides.url === undefined) {
      this.#findings.push({
        code: 'config-key-refused',
        severity: 'error',
        subject: driver.source,
        message: `Cannot honour driver from ${driver.source}: it names a Java class that decides how the connection is made.`,
        hint: 'Remove it, or give flyback a URL of its own (--url or FLYBACK_URL).',
      });
    }
    const provisioner = this.#environmentText('provisioner');
    if (provisioner !== undefined && provisioner.value !== 'none') {
      this.#findings.push({
        code: 'config-key-ignored',
        severity: 'warning',
        subject: provisioner.source,
        message: `provisioner from ${provisioner.source} is not run: flyback connects to the database as it is.`,
      });
    }
    const user = request.overrides.user ?? this.#environmentText('user');
    const password = request.password ?? this.#password();
    const properties: Record<string, Sourced> = {};
    for (const [key, setting] of this.#active) {
      if (!key.startsWith('jdbcProperties.')) continue;
      const value = this.#resolve(String(setting.value), setting.source, true);
      if (value === undefined) continue;
      properties[key.slice('jdbcProperties.'.length)] = { value, source: setting.source };
      this.sources[key] = setting.source;
    }
    const initSql = this.#active.get('initSql');
    for (const [key, value] of Object.entries({ url, user, password, initSql })) {
      if (value !== undefined) this.sources[key] = value.source;
    }
    if (password !== undefined) this.secrets.push(password.value);
    if (url === undefined || url.value.trim() === '') return undefined;
    // Flyway resolves no reference in initSql (EnvironmentResolver).
    return { url, user, password, properties, initSql: initSql === undefined ? undefined : String(initSql.value) };
  }

  #password(): Sourced<Secret> | undefined {
    const password = this.#environmentText('password');
    return password === undefined ? undefined : { value: new Secret(password.value), source: password.source };
  }

  #environmentText(key: EnvironmentKey): Sourced | undefined {
    const setting = this.#active.get(key);
    if (setting === undefined) return undefined;
    if (Array.isArray(setting.value)) {
      this.#findings.push(
        invalid(setting.source, 'is a list, but must be one text', 'Write it in double quotes, without [ ].'),
      );
      return undefined;
    }
    const value = this.#resolve(String(setting.value), setting.source, true);
    return value === undefined ? undefined : { value, source: setting.source };
  }

  #schemas(): readonly string[] {
    const override = this.#request.overrides.schemas;
    const setting =
      override === undefined
        ? this.#active.get('schemas')
        : { value: splitComma(override.value), source: override.source };
    this.sources['schemas'] = setting?.source ?? 'default';
    if (setting === undefined) return [];
    return this.#asList(setting).flatMap((item) => this.#resolve(item, setting.source, override === undefined) ?? []);
  }

  /** Flyway's command line takes the sql folder when nothing is configured and it exists, its libraries the class path. */
  async #locations(workingDirectory: string): Promise<readonly string[]> {
    const configured = this.#list('locations', []);
    if (configured.length > 0) return configured;
    const sql = path.join(workingDirectory, 'sql');
    const classpath = path.join(workingDirectory, 'src', 'main', 'resources', 'db', 'migration');
    const [hasSql, hasClasspath] = await Promise.all([isFolder(sql), isFolder(classpath)]);
    this.sources['locations'] = 'default';
    if (hasSql && hasClasspath) {
      this.#findings.push({
        code: 'config-locations-ambiguous',
        severity: 'error',
        subject: 'locations',
        message:
          "No locations are configured, and both sql and src/main/resources/db/migration exist: Flyway's command line would take the one, its libraries the other.",
        hint: 'Set flyway.locations, or pass --locations.',
      });
    }
    return hasSql && !hasClasspath ? [`filesystem:${sql}`] : ['classpath:db/migration'];
  }

  #find(key: FlywayKey): (Setting & { readonly resolve: boolean }) | undefined {
    const override = Object.hasOwn(this.#request.overrides, key)
      ? this.#request.overrides[key as keyof ToolConfigRequest['overrides']]
      : undefined;
    if (override !== undefined) {
      return {
        value: flywayKeys[key] === 'list' ? splitComma(override.value) : override.value,
        source: override.source,
        resolve: false,
      };
    }
    const own = notPerEnvironment.includes(key) ? undefined : this.#active.get(`flyway.${key}`);
    if (own !== undefined && !(Array.isArray(own.value) && own.value.length === 0)) {
      // ModernConfigurationManager.resolveConfigValues passes over the environments' [flyway] tables.
      if (String(own.value).includes('${env.')) {
        this.#findings.push({
          code: 'config-unresolved',
          severity: 'warning',
          subject: own.source,
          message: `${own.source} refers to a variable, but Flyway resolves no references in [environments.….flyway]; the text is taken as it stands.`,
          hint: 'Set it in [flyway], or by a FLYWAY_… variable.',
        });
      }
      return { ...own, resolve: false };
    }
    const shared = this.#merged.flyway.get(key);
    return shared === undefined ? undefined : { ...shared, resolve: this.#mode === 'toml' };
  }

  #text(key: FlywayKey, fallback: string): string {
    return this.#optionalText(key) ?? fallback;
  }

  #optionalText(key: FlywayKey): string | undefined {
    const setting = this.#find(key);
    this.sources[key] = setting?.source ?? 'default';
    if (setting === undefined) return undefined;
    if (Array.isArray(setting.value)) {
      this.#findings.push(
        invalid(setting.source, 'is a list, but must be one text', 'Write it in double quotes, without [ ].'),
      );
      return undefined;
    }
    const value = this.#resolve(String(setting.value), setting.source, setting.resolve);
    return value === '' ? undefined : value;
  }

  #list(key: FlywayKey, fallback: readonly string[]): readonly string[] {
    const setting = this.#find(key);
    this.sources[key] = setting?.source ?? 'default';
    if (setting === undefined) return fallback;
    const items = this.#asList(setting).flatMap((item) => this.#resolve(item, setting.source, setting.resolve) ?? []);
    return items.map((item) => item.trim());
  }

  #asList(setting: Setting): readonly string[] {
    if (Array.isArray(setting.value)) return setting.value as readonly string[];
    this.#findings.push(
      invalid(
        setting.source,
        'must be a list',
        `Write it in brackets: ["${String(setting.value).includes('://') ? '…' : String(setting.value)}"].`,
      ),
    );
    return [];
  }

  #boolean(key: FlywayKey, fallback: boolean): boolean {
    const text = this.#optionalText(key)?.toLowerCase();
    if (text === undefined) return fallback;
    if (text === 'true' || text === 'false') return text === 'true';
    this.#findings.push(
      invalid(this.sources[key] ?? key, 'must be true or false', `Flyway's default is ${String(fallback)}.`),
    );
    return fallback;
  }

  #integer(key: FlywayKey, fallback: number): number {
    const text = this.#optionalText(key);
    if (text === undefined) return fallback;
    if (/^[+-]?\d{1,9}$/.test(text)) return Number(text);
    this.#findings.push(
      invalid(this.sources[key] ?? key, 'must be a whole number', `Flyway's default is ${fallback}.`),
    );
    return fallback;
  }

  #resolve(value: string, source: string, references: boolean): string | undefined {
    if (!references) return value;
    const result = resolveValue(value, source, {
      environment: this.#request.environment,
      placeholders: this.#placeholders,
    });
    if ('text' in result) return result.text;
    this.#findings.push({ ...result, severity: 'error', subject: source });
    return undefined;
  }
}

function splitComma(text: string): readonly string[] {
  return text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');
}

async function isFolder(folder: string): Promise<boolean> {
  try {
    return (await stat(folder)).isDirectory();
  } catch {
    return false;
  }
}

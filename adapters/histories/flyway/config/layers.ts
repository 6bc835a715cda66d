import { environmentKeys, flywayKeys, keyOfVariable } from './keys.js';

export type RawValue = string | number | boolean | readonly string[];

/** One configured value, with the words by which a person finds it. */
export interface Setting {
  readonly value: RawValue;
  readonly source: string;
}

/** What one source says: [flyway] and each environment, nested tables flattened to dotted keys. */
export interface Layer {
  readonly flyway: ReadonlyMap<string, Setting>;
  readonly environments: ReadonlyMap<string, ReadonlyMap<string, Setting>>;
}

export const emptyLayer: Layer = { flyway: new Map(), environments: new Map() };

/**
 * Later layers win, key by key; an empty list overrides nothing (Flyway's MergeUtils).
 */
export function mergeLayers(layers: readonly Layer[]): Layer {
  const environments = new Map<string, Map<string, Setting>>();
  const flyway = new Map<string, Setting>();
  for (const layer of layers) {
    overlay(flyway, layer.flyway);
    for (const [name, settings] of layer.environments) {
      const merged = environments.get(name) ?? new Map<string, Setting>();
      overlay(merged, settings);
      environments.set(name, merged);
    }
  }
  return { flyway, environments };
}

function overlay(target: Map<string, Setting>, settings: ReadonlyMap<string, Setting>): void {
  for (const [key, setting] of settings) {
    if (Array.isArray(setting.value) && setting.value.length === 0 && target.has(key)) continue;
    target.set(key, setting);
  }
}

/** A parsed TOML document as a layer. What is neither a table nor a value Flyway could use goes to `reject`. */
export function layerOfToml(
  document: Readonly<Record<string, unknown>>,
  file: string,
  reject: (key: string, problem: string) => void,
): Layer {
  const flyway = new Map<string, Setting>();
  const environments = new Map<string, ReadonlyMap<string, Setting>>();
  for (const [section, content] of Object.entries(document)) {
    if (section !== 'flyway' && section !== 'environments') continue;
    if (!isTable(content)) {
      reject(section, 'must be a table');
      continue;
    }
    if (section === 'flyway') {
      flatten(content, '', (key) => `${file} flyway.${key}`, flyway, reject);
      continue;
    }
    for (const [name, settings] of Object.entries(content)) {
      if (!isTable(settings)) {
        reject(`environments.${name}`, 'must be a table');
        continue;
      }
      const flat = new Map<string, Setting>();
      flatten(
        settings,
        '',
        (key) => `${file} environments.${name}.${key}`,
        flat,
        (key, problem) => {
          reject(`environments.${name}.${key}`, problem);
        },
      );
      environments.set(name, flat);
    }
  }
  return { flyway, environments };
}

function isTable(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date);
}

function flatten(
  table: Readonly<Record<string, unknown>>,
  prefix: string,
  source: (key: string) => string,
  into: Map<string, Setting>,
  reject: (key: string, problem: string) => void,
): void {
  for (const [name, value] of Object.entries(table)) {
    const key = prefix + name;
    if (isTable(value)) {
      flatten(value, `${key}.`, source, into, reject);
    } else if (typeof value === 'string' || typeof value === 'boolean' || typeof value === 'number') {
      into.set(key, { value, source: source(key) });
    } else if (typeof value === 'bigint' || value instanceof Date) {
      into.set(key, { value: String(value), source: source(key) });
    } else if (
      Array.isArray(value) &&
      value.every((item) => ['string', 'number', 'boolean', 'bigint'].includes(typeof item))
    ) {
      into.set(key, { value: value.map(String), source: source(key) });
    }
    // Arrays of tables belong to parts of Flyway that flyback does not read.
  }
}

/** The entries of a .conf file; its connection keys belong to the one environment that this mode has. */
export function layerOfConf(properties: ReadonlyMap<string, string>, file: string): Layer {
  const entries: (readonly [string, Setting])[] = [];
  for (const [key, value] of properties) {
    if (key.startsWith('flyway.')) entries.push([key.slice('flyway.'.length), { value, source: `${file} ${key}` }]);
  }
  return layerOfEntries(entries, 'default');
}

/** FLYWAY_… variables for .conf mode. */
export function layerOfVariables(
  environment: Readonly<Record<string, string | undefined>>,
  activeEnvironment: string,
): Layer {
  const entries: (readonly [string, Setting])[] = [];
  for (const [name, value] of Object.entries(environment)) {
    const key = keyOfVariable(name);
    if (key !== undefined && value !== undefined) entries.push([key, { value, source: name }]);
  }
  return layerOfEntries(entries, activeEnvironment);
}

/**
 * The variables that count beside TOML files (Flyway's TomlUtils.loadConfigurationFromEnvironment): the FLYWAY_… names
 * and, winning over these, lower-case ones with "_" for ".": flyway_environment, environments_prod_password.
 * `active` maps the merged [flyway] keys to the environment that connection keys belong to.
 */
export function layersOfTomlVariables(
  environment: Readonly<Record<string, string | undefined>>,
  active: (flyway: ReadonlyMap<string, Setting>) => string,
): readonly Layer[] {
  const flywayEntries: (readonly [string, Setting])[] = [];
  const direct = new Map<string, Map<string, Setting>>();
  for (const [name, value] of Object.entries(environment)) {
    if (value === undefined) continue;
    if (name.toUpperCase().startsWith('FLYWAY_JDBC_PROPERTIES_') && name.startsWith('flyway_')) {
      flywayEntries.push([keyOfVariable(name.toUpperCase()) ?? name, { value, source: name }]);
    } else if (name.startsWith('flyway_')) {
      flywayEntries.push([name.slice('flyway_'.length).replaceAll('_', '.'), { value, source: name }]);
    } else if (name.startsWith('environments_')) {
      const [, owner, ...rest] = name.split('_');
      if (owner === undefined || rest.length === 0) continue;
      const settings = direct.get(owner) ?? new Map<string, Setting>();
      const key = rest.join('.');
      settings.set(key, { value: splitList(key.replace(/^flyway\./, ''), value), source: name });
      direct.set(owner, settings);
    }
  }
  const lower = new Map(flywayEntries);
  const upper = layerOfVariables(environment, '').flyway;
  const activeEnvironment = active(
    mergeLayers([
      { ...emptyLayer, flyway: upper },
      { ...emptyLayer, flyway: lower },
    ]).flyway,
  );
  return [
    { flyway: new Map(), environments: direct },
    layerOfVariables(environment, activeEnvironment),
    layerOfEntries(flywayEntries, activeEnvironment),
  ];
}

function layerOfEntries(entries: readonly (readonly [string, Setting])[], activeEnvironment: string): Layer {
  const flyway = new Map<string, Setting>();
  const connection = new Map<string, Setting>();
  for (const [key, setting] of entries) {
    const first = key.split('.')[0] ?? key;
    const target = Object.hasOwn(environmentKeys, first) || first === 'jdbcProperties' ? connection : flyway;
    target.set(key, { ...setting, value: splitList(key, setting.value) });
  }
  return { flyway, environments: new Map(connection.size === 0 ? [] : [[activeEnvironment, connection]]) };
}

/** Lists are comma separated everywhere outside TOML files. */
function splitList(key: string, value: RawValue): RawValue {
  const kinds: Readonly<Record<string, string>> = { ...flywayKeys, ...environmentKeys };
  if (typeof value !== 'string' || !Object.hasOwn(kinds, key) || kinds[key] !== 'list') return value;
  const parts = value.split(',').map((part) => part.trim());
  while (parts.length > 0 && parts.at(-1) === '') parts.pop();
  return parts;
}

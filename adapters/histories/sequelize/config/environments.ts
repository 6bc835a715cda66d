import type { Sourced } from '../../../../src/config/readers.js';
import type { Finding } from '../../../../src/errors/finding.js';
import { isFields, type Fields } from './project-files.js';

/** Options of Sequelize that are objects themselves: no environments. */
const objectOptions = new Set([
  'benchmark',
  'define',
  'dialectOptions',
  'hooks',
  'logging',
  'operatorsAliases',
  'pool',
  'query',
  'replication',
  'retry',
  'seederStorage',
  'set',
  'sync',
]);

/** One of these as a plain value makes the root itself a configuration. */
const rootOptions = ['dialect', 'url', 'use_env_variable', 'host', 'database', 'username'];

export interface ChosenEnvironment {
  readonly fields: Fields;
  /** For messages: "config/config.json [production]". */
  readonly label: string;
  /** Where its name came from. */
  readonly source: string;
}

/**
 * The configuration of one environment: the named one, or the root where it is a configuration itself. sequelize-cli falls
 * back on development; flyback does not when there is more than one to choose from.
 */
export function chooseEnvironment(
  root: Fields,
  file: string,
  named: Sourced | undefined,
  findings: Finding[],
): ChosenEnvironment | undefined {
  const names = Object.keys(root).filter((name) => isFields(root[name]) && !objectOptions.has(name));
  const isFlat = rootOptions.some((name) => typeof root[name] === 'string');
  if (named !== undefined) {
    const fields = Object.hasOwn(root, named.value) ? root[named.value] : undefined;
    if (isFields(fields)) return { fields, label: `${file} [${named.value}]`, source: named.source };
    if (isFlat) return { fields: root, label: file, source: file };
    findings.push({
      code: 'config-environment-unknown',
      severity: 'error',
      subject: named.source,
      message: `${file} has no environment "${named.value}" (named by ${named.source}).`,
      hint: names.length === 0 ? `Add it to ${file}.` : `Use one of ${names.join(', ')}.`,
    });
    return undefined;
  }
  const [only, ...others] = names;
  if (only === undefined) return { fields: root, label: file, source: file };
  const fields = root[only];
  if (others.length === 0 && !isFlat && isFields(fields)) {
    return { fields, label: `${file} [${only}]`, source: file };
  }
  findings.push({
    code: 'config-environment-missing',
    severity: 'error',
    subject: file,
    message: `${file} has the environments ${names.join(', ')}, and none was named.`,
    hint: `Name one: --environment ${names.includes('production') ? 'production' : only}, FLYBACK_ENVIRONMENT or NODE_ENV.`,
  });
  return undefined;
}

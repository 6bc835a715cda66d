import { isFields, type Fields } from './project-files.js';

/** Options of Sequelize 6 that change what a migration does, or the statements that it sends; the connection is flyback's. */
const passed = [
  'attributeBehavior',
  'clientMinMessages',
  'define',
  'dialectOptions',
  'isolationLevel',
  'keepDefaultTimezone',
  'minifyAliases',
  'omitNull',
  'query',
  'quoteIdentifiers',
  'schema',
  'searchPath',
  'standardConformingStrings',
  'timezone',
  'transactionType',
  'typeValidation',
];

/** Of dialectOptions: where and how safely to connect. */
const connecting = ['ssl', 'socketPath', 'host', 'port', 'database', 'user', 'password'];

/** The options of a configuration that migrations get; of what only code can say nothing is left. */
export function sequelizeOptions(fields: Fields): Fields {
  const given = plainFields(fields);
  const options = Object.entries(given).filter(([name, value]) => passed.includes(name) && value !== null);
  return Object.fromEntries(
    options.map(([name, value]) => [
      name,
      name === 'dialectOptions' && isFields(value)
        ? Object.fromEntries(Object.entries(value).filter(([inner]) => !connecting.includes(inner)))
        : value,
    ]),
  );
}

/** Functions, bytes and instances of classes are marked by the loader. */
function isCode(value: unknown): boolean {
  return isFields(value) && ('$kind' in value || '$class' in value);
}

function plainFields(fields: Fields): Fields {
  const kept = Object.entries(fields).filter(([, value]) => !isCode(value));
  return Object.fromEntries(kept.map(([name, value]) => [name, isFields(value) ? plainFields(value) : value]));
}

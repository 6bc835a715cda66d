import type { Sourced } from '../../../../src/config/readers.js';
import type { Finding } from '../../../../src/errors/finding.js';

/** A URL as `migrate -database` takes it, in the parts that are the database driver's and those that are the tool's. */
export interface DatabaseUrl {
  /** A URL that the database adapter reads. */
  readonly url: string;
  /** What holds where the URL itself says nothing. */
  readonly properties: Readonly<Record<string, Sourced>>;
  readonly table: string | undefined;
  /** The schema of a quoted table name. */
  readonly schema: string | undefined;
}

/** Scheme → what its driver does about TLS when the URL says nothing (lib/pq: sslmode=require; pgx: prefer). */
const schemes: Readonly<Record<string, 'require' | 'prefer'>> = {
  postgres: 'require',
  postgresql: 'require',
  pgx: 'prefer',
  pgx4: 'prefer',
  pgx5: 'prefer',
};

/** Parameters of the tool that change nothing for a rollback. */
const harmless = new Set(['x-multi-statement', 'x-multi-statement-max-size', 'x-statement-timeout', 'x-lock-table']);

/** Takes the URL apart. Without a URL in the answer there is at least one error among the findings. No finding holds a secret. */
export function readDatabaseUrl(
  { value, source }: Sourced,
  environment: Readonly<Record<string, string | undefined>>,
  findings: Finding[],
): DatabaseUrl | undefined {
  const refuse = (message: string, hint: string): void => {
    findings.push({ code: 'url-value-invalid', severity: 'error', subject: source, message, hint });
  };
  const scheme = /^([A-Za-z][A-Za-z0-9+.-]*):\/\//.exec(value)?.[1];
  if (scheme === undefined || schemes[scheme] === undefined) {
    refuse(
      `The URL from ${source} ${scheme === undefined ? 'has no scheme' : `begins with ${scheme}://, a database that flyback cannot take back for golang-migrate`}.`,
      'Use the URL that migrate -database gets: postgres://, postgresql://, pgx://, pgx4:// or pgx5://.',
    );
    return undefined;
  }
  const [before = '', ...rest] = value.split('?');
  const parameters = rest
    .join('?')
    .split('&')
    .filter((part) => part !== '');
  const own = new Map<string, string>();
  const passedOn: string[] = [];
  for (const parameter of parameters) {
    const name = decode(parameter.split('=')[0] ?? '');
    if (name.startsWith('x-') || name === 'search_path') own.set(name, decode(parameter.split('=').slice(1).join('=')));
    else passedOn.push(parameter);
  }
  const known = [...harmless, 'search_path', 'x-migrations-table', 'x-migrations-table-quoted', 'x-lock-strategy'];
  for (const name of own.keys()) {
    if (known.includes(name)) continue;
    findings.push({
      code: 'url-key-unknown',
      severity: 'warning',
      subject: source,
      message: `The URL from ${source} has a parameter ${name} that flyback does not know; it is left out.`,
      hint: 'Check its spelling.',
    });
  }
  if ((own.get('x-lock-strategy') ?? 'advisory') !== 'advisory') {
    refuse(
      `The URL from ${source} has x-lock-strategy=${own.get('x-lock-strategy') ?? ''}: flyback takes advisory locks only, which would not keep such a migrate out.`,
      'Leave x-lock-strategy out, for migrate as well.',
    );
    return undefined;
  }
  const quoted = own.get('x-migrations-table-quoted');
  const table = own.get('x-migrations-table');
  const name = isTrue(quoted) && table !== undefined ? unquote(table) : { table, schema: undefined };
  if (name === undefined) {
    refuse(
      `The URL from ${source} says that x-migrations-table is quoted, and it is not "table" or "schema"."table".`,
      'Write the double quotes, percent-encoded as %22.',
    );
    return undefined;
  }
  const tls = environment['PGSSLMODE'];
  const searchPath = own.get('search_path');
  return {
    url: `${before.replace(/^(?:pgx\d?|postgres):/, 'postgresql:')}${passedOn.length === 0 ? '' : `?${passedOn.join('&')}`}`,
    properties: {
      ...(tls !== undefined && tls !== ''
        ? { sslmode: { value: tls, source: 'PGSSLMODE' } }
        : { sslmode: { value: schemes[scheme] ?? 'prefer', source: `the default of ${scheme}:// in golang-migrate` } }),
      ...(searchPath === undefined ? {} : { currentSchema: { value: searchPath, source: `${source}, search_path` } }),
    },
    ...name,
  };
}

/** As Go's strconv.ParseBool. */
function isTrue(text: string | undefined): boolean {
  return text !== undefined && ['1', 't', 'T', 'TRUE', 'true', 'True'].includes(text);
}

function unquote(text: string): Pick<DatabaseUrl, 'table' | 'schema'> | undefined {
  const match = /^"([^"]+)"(?:\."([^"]+)")?$/.exec(text);
  const [, first, second] = match ?? [];
  if (first === undefined) return undefined;
  return second === undefined ? { schema: undefined, table: first } : { schema: first, table: second };
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    return text;
  }
}

import type { Sourced } from '../../../../src/config/readers.js';
import type { Finding } from '../../../../src/errors/finding.js';
import { splitLibpqUrl, type LibpqUrl } from '../../libpq-url.js';
import { isMysqlUrl } from '../../mysql-url.js';

/** A URL as `migrate -database` takes it. */
export interface DatabaseUrl extends Pick<LibpqUrl, 'url' | 'properties'> {
  readonly table: string | undefined;
  /** The schema of a quoted table name. */
  readonly schema: string | undefined;
}

const schemes = {
  postgres: 'require',
  postgresql: 'require',
  pgx: 'prefer',
  pgx4: 'prefer',
  pgx5: 'prefer',
} as const;

/** Those that change where a rollback works, and those that change nothing for it. */
const knownOnPostgresql = [
  ...['search_path', 'x-migrations-table', 'x-migrations-table-quoted', 'x-lock-strategy'],
  ...['x-multi-statement', 'x-multi-statement-max-size', 'x-statement-timeout', 'x-lock-table'],
];

/** Takes the URL apart. Without an answer there is at least one error among the findings. No finding holds a secret. */
export function readDatabaseUrl(
  address: Sourced,
  environment: Readonly<Record<string, string | undefined>>,
  findings: Finding[],
): DatabaseUrl | undefined {
  if (isMysqlUrl(address.value)) return readMysqlUrl(address, findings);
  const { source } = address;
  const refuse = (message: string, hint: string): void => {
    findings.push({ code: 'url-value-invalid', severity: 'error', subject: source, message, hint });
  };
  const parts = splitLibpqUrl(address, schemes, environment, findings);
  if (parts === undefined) return undefined;
  const { own } = parts;
  findings.push(...unknownAmong(own.keys(), knownOnPostgresql, source));
  const strategy = own.get('x-lock-strategy') ?? 'advisory';
  if (strategy !== 'advisory') {
    refuse(
      `The URL from ${source} has x-lock-strategy=${strategy}: flyback takes advisory locks only, which would not keep such a migrate out.`,
      'Leave x-lock-strategy out, for migrate as well.',
    );
    return undefined;
  }
  const table = own.get('x-migrations-table');
  const isQuoted = isTrue(own.get('x-migrations-table-quoted')) && table !== undefined;
  const name = isQuoted ? unquote(table) : { table, schema: undefined };
  if (name === undefined) {
    refuse(
      `The URL from ${source} says that x-migrations-table is quoted, and it is not "table" or "schema"."table".`,
      'Write the double quotes, percent-encoded as %22.',
    );
    return undefined;
  }
  return { url: parts.url, properties: parts.properties, ...name };
}

const knownOnMysql = [
  ...['x-migrations-table', 'x-no-lock', 'x-statement-timeout'],
  ...['x-tls-ca', 'x-tls-cert', 'x-tls-key', 'x-tls-insecure-skip-verify'],
];

/**
 * MySQL's "URL" is mysql:// and the Go driver's DSN, whose parameters stand behind the last question mark; those about TLS stay,
 * for the driver's part of it.
 */
function readMysqlUrl({ value, source }: Sourced, findings: Finding[]): DatabaseUrl | undefined {
  const mark = value.lastIndexOf('?');
  const parameters = new URLSearchParams(mark < 0 ? '' : value.slice(mark + 1));
  const own = [...parameters.keys()].filter((name) => name.startsWith('x-'));
  findings.push(...unknownAmong(own, knownOnMysql, source));
  if (isTrue(parameters.get('x-no-lock') ?? undefined)) {
    findings.push({
      code: 'tool-lock-off',
      severity: 'warning',
      subject: source,
      message: `The URL from ${source} has x-no-lock=true: migrate takes no lock, so flyback's keeps out no migrate that runs at the same time.`,
      hint: 'See to it that no migrate runs meanwhile, or leave x-no-lock out.',
    });
  }
  if (/@?tcp\(/.test(value) && (/[@/]unix\(/.test(value) || parameters.has('socket'))) {
    findings.push({
      code: 'url-value-invalid',
      severity: 'error',
      subject: source,
      message: `The URL from ${source} names a host and a socket.`,
      hint: 'Write one of them: tcp(host:port) or unix(/path/of/the/socket).',
    });
    return undefined;
  }
  const table = parameters.get('x-migrations-table') ?? '';
  return { url: value, properties: {}, table: table === '' ? undefined : table, schema: undefined };
}

function unknownAmong(names: Iterable<string>, known: readonly string[], source: string): readonly Finding[] {
  return [...names]
    .filter((name) => !known.includes(name))
    .map((name) => ({
      code: 'url-key-unknown',
      severity: 'warning',
      subject: source,
      message: `The URL from ${source} has a parameter ${name} that flyback does not know; it is left out.`,
      hint: 'Check its spelling.',
    }));
}

/** As Go's strconv.ParseBool. */
function isTrue(text: string | undefined): boolean {
  return text !== undefined && ['1', 't', 'T', 'TRUE', 'true', 'True'].includes(text);
}

function unquote(text: string): Pick<DatabaseUrl, 'table' | 'schema'> | undefined {
  const [, first, second] = /^"([^"]+)"(?:\."([^"]+)")?$/.exec(text) ?? [];
  if (first === undefined) return undefined;
  return second === undefined ? { schema: undefined, table: first } : { schema: first, table: second };
}

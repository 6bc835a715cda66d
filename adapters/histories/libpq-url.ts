import type { Sourced } from '../../src/config/readers.js';
import type { Finding } from '../../src/errors/finding.js';

/** A URL as tools written in Go take it, in the parts that are the database driver's and those that are the tool's. */
export interface LibpqUrl {
  readonly scheme: string;
  /** A URL that the database adapter reads. */
  readonly url: string;
  /** What holds where the URL itself says nothing. */
  readonly properties: Readonly<Record<string, Sourced>>;
  /** Parameters that are not the driver's, decoded: names that begin with `x-`, search_path and socket. */
  readonly own: ReadonlyMap<string, string>;
}

/**
 * Takes such a URL apart. `schemes`: which ones the tool knows, and what its driver does about TLS when neither the URL nor
 * PGSSLMODE says anything (lib/pq: require; pgx: prefer). Without an answer there is an error among the findings, none of which
 * holds a secret.
 */
export function splitLibpqUrl(
  { value, source }: Sourced,
  schemes: Readonly<Record<string, 'require' | 'prefer'>>,
  environment: Readonly<Record<string, string | undefined>>,
  findings: Finding[],
): LibpqUrl | undefined {
  const scheme = /^([A-Za-z][A-Za-z0-9+.-]*):\/\//.exec(value)?.[1];
  const tls = scheme === undefined ? undefined : schemes[scheme];
  if (scheme === undefined || tls === undefined) {
    findings.push({
      code: 'url-value-invalid',
      severity: 'error',
      subject: source,
      message: `The URL from ${source} ${scheme === undefined ? 'has no scheme' : `begins with ${scheme}://, which is no database that flyback takes back for this tool`}.`,
      hint: `Use the URL that the tool itself gets: ${[...Object.keys(schemes), 'mysql']
        .map((name) => `${name}://`)
        .join(', ')}.`,
    });
    return undefined;
  }
  const [before = '', ...rest] = value.split('?');
  const own = new Map<string, string>();
  const passedOn: string[] = [];
  for (const parameter of rest.join('?').split('&')) {
    const [name = '', ...text] = parameter.split('=');
    const decoded = decode(name);
    if (decoded.startsWith('x-') || decoded === 'search_path' || decoded === 'socket')
      own.set(decoded, decode(text.join('=')));
    else if (parameter !== '') passedOn.push(parameter);
  }
  const mode = environment['PGSSLMODE'];
  const searchPath = own.get('search_path');
  return {
    scheme,
    url: `${before.replace(/^[^:]*:/, 'postgresql:')}${passedOn.length === 0 ? '' : `?${passedOn.join('&')}`}`,
    properties: {
      sslmode:
        mode !== undefined && mode !== ''
          ? { value: mode, source: 'PGSSLMODE' }
          : { value: tls, source: `the default of ${scheme}://` },
      ...(searchPath === undefined ? {} : { currentSchema: { value: searchPath, source: `${source}, search_path` } }),
    },
    own,
  };
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    return text;
  }
}

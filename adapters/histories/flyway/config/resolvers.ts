import type { Finding } from '../../../../src/errors/finding.js';

/** What a value may refer to. */
export interface ResolverContext {
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Names as configured; the `placeholder` resolver compares them exactly. */
  readonly placeholders: ReadonlyMap<string, string>;
}

/** A value that could not be resolved: why, and what to do. Never holds the value. */
export type Resolution = { readonly text: string } | Pick<Finding, 'code' | 'message' | 'hint'>;

const reference = /\${1,2}\{[^.]+\.[^.]+?\}/g;
const verbatim = /^!\{.*\}$/;
const nested = /(^|[^$])\$\{(([^}]+|)\$\{.+?}).*?}/g;

/**
 * Resolves ${env.X} and ${placeholder.x} in one value of flyway.toml as Flyway's PropertyResolverContextImpl does:
 * blanks around the value go, !{…} around the whole value keeps it as it is, $${a.b} stands for ${a.b}, ${r.k:aAdD}
 * keeps only letters or digits. Any other resolver is proprietary or needs a service, and is refused.
 */
export function resolveValue(value: string, key: string, context: ResolverContext): Resolution {
  const stripped = value.trim();
  // Flyway cuts two characters off the unstripped value, so blanks before "!{" would damage it there; none are expected.
  if (verbatim.test(stripped)) return { text: value.slice(2, -1) };
  for (const [, , inner] of value.matchAll(nested)) {
    if (new RegExp(reference.source).test(inner ?? '')) {
      return {
        code: 'config-unresolved',
        message: `Cannot resolve ${key}: Flyway allows no reference inside another.`,
        hint: 'Refer to one ${env.NAME} for the whole value.',
      };
    }
  }
  let problem: Resolution | undefined;
  const text = stripped.replaceAll(reference, (match) => {
    if (match.startsWith('$$')) return match.slice(1);
    const result = resolveReference(match, key, context);
    if ('text' in result) return result.text;
    problem ??= result;
    return '';
  });
  return problem ?? { text };
}

function resolveReference(match: string, key: string, context: ResolverContext): Resolution {
  const dot = match.indexOf('.');
  const colon = match.indexOf(':');
  const resolver = match.slice(2, dot).trim();
  const parameter = match.slice(dot + 1, colon === -1 ? -1 : colon).trim();
  const filter = colon === -1 ? undefined : match.slice(colon + 1, -1).trim();
  let found: string | undefined;
  switch (resolver.toLowerCase()) {
    case 'env':
      found = context.environment[parameter];
      if (found === undefined) {
        return {
          code: 'config-unresolved',
          message: `Cannot resolve ${key}: the environment variable ${parameter} is not set.`,
          hint: `Set ${parameter}, or give the value another way.`,
        };
      }
      break;
    case 'placeholder':
      found = context.placeholders.get(parameter);
      if (found === undefined) {
        return {
          code: 'config-unresolved',
          message: `Cannot resolve ${key}: there is no placeholder ${parameter}.`,
          hint: `Add ${parameter} to [flyway.placeholders].`,
        };
      }
      break;
    default:
      return {
        code: 'config-resolver-unsupported',
        message: `Cannot resolve ${key}: the resolver "${resolver}" is not part of open-source Flyway, and flyback does not know it.`,
        hint: 'Fetch the value outside and pass it on: a password in a variable (--password-env NAME or FLYBACK_PASSWORD), a URL with --url, a user with FLYBACK_USER.',
      };
  }
  return { text: filter === undefined ? found : keepAllowed(found, filter) };
}

/** D and A keep digits and letters of any script, d and a those of ASCII. */
function keepAllowed(text: string, filter: string): string {
  const allowed = [
    ...(filter.includes('D') ? ['\\p{Nd}'] : []),
    ...(filter.includes('A') ? ['\\p{L}'] : []),
    ...(filter.includes('d') ? ['0-9'] : []),
    ...(filter.includes('a') ? ['A-Za-z'] : []),
  ];
  return allowed.length === 0 ? '' : text.replaceAll(new RegExp(`[^${allowed.join('')}]`, 'gu'), '');
}

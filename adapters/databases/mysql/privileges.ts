import type { Session } from '../../../src/adapter/database.js';
import { tokenizeStatement } from './lexer.js';

/** One line of SHOW GRANTS that gives privileges. */
interface Grant {
  /** In upper case, without the columns for which some hold. */
  readonly privileges: ReadonlySet<string>;
  /** Undefined: everywhere. May hold % and _ for any characters. */
  readonly schema: string | undefined;
  /** Undefined: every table, or routine, of the schema. */
  readonly table: string | undefined;
}

/** What an account may do, by what SHOW GRANTS says to itself. */
export interface Privileges {
  /** Whether it has the privilege for the whole server. */
  hasEverywhere(...anyOf: readonly string[]): boolean;
  /** Whether it has the privilege on a table, or on whatever will be made in a schema. */
  has(privilege: string, schema: string, table?: string): boolean;
  /** False where the account is also given roles whose privileges SHOW GRANTS did not list. */
  readonly isComplete: boolean;
}

/** Asks the server; every account may ask about itself. Throws FlybackError. */
export async function readPrivileges(session: Session): Promise<Privileges> {
  const [answer] = await session.query('SHOW GRANTS');
  return parseGrants((answer?.rows ?? []).map(([line]) => line ?? ''));
}

/** Reads the lines of SHOW GRANTS of either server; on MySQL with partial_revokes some of them take away for one schema. */
export function parseGrants(lines: readonly string[]): Privileges {
  const isRevocation = (line: string): boolean => /^revoke\b/i.test(line);
  const grants = lines.filter((line) => !isRevocation(line)).flatMap((line) => parseGrant(line) ?? []);
  const revoked = lines.filter(isRevocation).flatMap((line) => parseGrant(line) ?? []);
  return {
    hasEverywhere: (...anyOf) =>
      grants.some((grant) => grant.schema === undefined && anyOf.some((privilege) => covers(grant, privilege))),
    has: (privilege, schema, table) =>
      grants.some(
        (grant) =>
          covers(grant, privilege) &&
          (grant.schema !== undefined ||
            !revoked.some((taken) => taken.schema === schema && covers(taken, privilege))) &&
          (grant.schema === undefined || isLike(schema, grant.schema)) &&
          (grant.table === undefined || (table !== undefined && grant.table.toLowerCase() === table.toLowerCase())),
      ),
    isComplete: !lines.some((line) => /^grant\s+[`'"]/i.test(line)),
  };
}

function covers({ privileges }: Grant, privilege: string): boolean {
  return privileges.has(privilege) || (privileges.has('ALL PRIVILEGES') && privilege !== 'GRANT OPTION');
}

/** GRANT list ON scope TO …; undefined for roles, and for what is no list of privileges. */
function parseGrant(line: string): Grant | undefined {
  const tokens = tokenizeStatement(line, 400, { ansiQuotes: true });
  const on = tokens.findIndex((token) => token.kind === 'word' && token.value === 'on');
  if (on === -1) return undefined;
  let depth = 0;
  const privileges = new Set<string>();
  let words: string[] = [];
  const close = (): void => {
    if (words.length > 0) privileges.add(words.join(' ').toUpperCase());
    words = [];
  };
  for (const token of tokens.slice(1, on)) {
    if (token.kind === 'sign' && token.value === '(') depth++;
    else if (token.kind === 'sign' && token.value === ')') depth--;
    else if (depth === 0 && token.kind === 'sign') close();
    else if (depth === 0 && token.kind === 'word') words.push(token.value);
  }
  close();
  if (/\bwith\s+grant\s+option\b/i.test(line)) privileges.add('GRANT OPTION');
  const kind = tokens[on + 1];
  if (kind?.kind === 'word' && ['procedure', 'function', 'package'].includes(kind.value)) return undefined;
  const first = tokens[on + 1];
  const second = tokens[on + 3];
  const isAny = (token: typeof first): boolean => token?.kind === 'sign' && token.value === '*';
  return {
    privileges,
    schema: isAny(first) ? undefined : first?.value,
    table: isAny(second) ? undefined : second?.value,
  };
}

/** Whether a name fits what is granted on: % and _ stand for any characters, unless a backslash is before them. */
function isLike(name: string, pattern: string): boolean {
  const source = pattern.replaceAll(
    /\\([%_\\])|([%_])|([^\w%])/g,
    (_all, escaped?: string, any?: string, other?: string) =>
      escaped !== undefined ? escape(escaped) : any !== undefined ? (any === '%' ? '.*' : '.') : escape(other ?? ''),
  );
  return new RegExp(`^${source}$`, 'isu').test(name);
}

function escape(char: string): string {
  return `\\u{${(char.codePointAt(0) ?? 0).toString(16)}}`;
}

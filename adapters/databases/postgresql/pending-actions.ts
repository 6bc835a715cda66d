import type { Session } from '../../../src/adapter/database.js';
import { quoteLiteral } from './quoting.js';

const settingOf = /^alter\s+system\s+(?:set|reset)\s+([\w.]+)/i;
const reloads = /\bpg_reload_conf\s*\(/i;

/**
 * What is left to do for settings that ALTER SYSTEM wrote: a restart of the server for those whose context in pg_settings
 * is "postmaster" and whose running value is another one, a reload for the rest, nothing but the truth for those that the
 * server's command line fixes. Of a role that may not read pg_file_settings nothing tells the running value apart, so
 * every setting that needs a restart is named.
 */
export async function readPendingActions(session: Session, statements: readonly string[]): Promise<readonly string[]> {
  const names: string[] = [];
  let unloaded: string[] = [];
  for (const text of statements) {
    const name = settingOf.exec(text)?.[1]?.toLowerCase();
    if (name !== undefined) {
      names.push(name);
      unloaded.push(name);
    } else if (reloads.test(text)) unloaded = [];
  }
  if (names.length === 0) return [];
  const resetsAll = names.includes('all');
  const settings = await readSettings(session, resetsAll ? undefined : names);
  const fixed = settings.filter(({ isFixed }) => isFixed && !resetsAll).map(({ name }) => name);
  const restarting = settings.filter(({ isFixed, needsRestart }) => needsRestart && !isFixed);
  // After RESET ALL any of them may be meant: only those are named of which it is certain.
  const restart = restarting.filter(({ isPending }) => isPending ?? !resetsAll).map(({ name }) => name);
  const isUncertain = resetsAll && restarting.some(({ isPending }) => isPending === undefined);
  const others = new Set([...fixed, ...settings.filter(({ needsRestart }) => needsRestart).map(({ name }) => name)]);
  const reload = [...new Set(unloaded)].filter((name) => !others.has(name) && name !== 'all');
  const reloading = 'after a reload: SELECT pg_reload_conf();';
  return [
    ...sentence(restart, 'takes effect', 'take effect', 'only after a restart of the server.'),
    ...(isUncertain ? ['Some settings that ALTER SYSTEM RESET ALL put back may need a restart of the server.'] : []),
    ...(unloaded.includes('all')
      ? [`ALTER SYSTEM RESET ALL takes effect ${reloading}`]
      : sentence(reload, 'takes effect', 'take effect', reloading)),
    ...sentence(fixed, 'is', 'are', "set on the server's command line, which ALTER SYSTEM does not change."),
  ];
}

interface ServerSetting {
  readonly name: string;
  readonly needsRestart: boolean;
  /** Whether the server runs with another value than its files have; undefined: the role may not know. */
  readonly isPending: boolean | undefined;
  /** By the command line, which beats every file. */
  readonly isFixed: boolean;
}

/** In the order of their names; undefined asks for all. */
async function readSettings(session: Session, names: readonly string[] | undefined): Promise<readonly ServerSetting[]> {
  const [allowed] = await session.query(
    `SELECT pg_catalog.has_table_privilege('pg_catalog.pg_file_settings', 'SELECT') AND pg_catalog.has_function_privilege('pg_catalog.pg_show_all_file_settings()', 'EXECUTE')`,
  );
  const mayKnow = allowed?.rows[0]?.[0] === 't';
  // pg_settings.pending_restart is of each process, and true only once it has got round to a reload. The view reads the
  // files now: a value that a restart would change has an error, and one that was taken out is named in an error only.
  const pending = mayKnow
    ? `EXISTS (SELECT FROM pg_catalog.pg_file_settings f WHERE f.error IS NOT NULL AND (f.name = s.name OR f.name IS NULL AND f.error ~ ('\\m' || s.name || '\\M')))`
    : 'NULL';
  const wanted = names === undefined ? '' : ` WHERE s.name IN (${names.map(quoteLiteral).join(', ')})`;
  const [answer] = await session.query(
    `SELECT s.name, s.context = 'postmaster', ${pending}, s.source = 'command line' FROM pg_catalog.pg_settings s${wanted} ORDER BY s.name`,
  );
  return (answer?.rows ?? []).map(([name, needsRestart, isPending, isFixed]) => ({
    name: name ?? '',
    needsRestart: needsRestart === 't',
    isPending: isPending === null || isPending === undefined ? undefined : isPending === 't',
    isFixed: isFixed === 't',
  }));
}

/** One sentence about all of the names, or none. */
function sentence(names: readonly string[], one: string, several: string, rest: string): readonly string[] {
  const last = names.at(-1);
  if (last === undefined) return [];
  const list = names.length === 1 ? last : `${names.slice(0, -1).join(', ')} and ${last}`;
  return [`${list} ${names.length === 1 ? one : several} ${rest}`];
}

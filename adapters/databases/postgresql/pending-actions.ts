import type { Session } from '../../../src/adapter/database.js';
import { quoteLiteral } from './quoting.js';

const settingOf = /^alter\s+system\s+(?:set|reset)\s+([\w.]+)/i;
const reloads = /\bpg_reload_conf\s*\(/i;

/**
 * Settings that ALTER SYSTEM wrote take effect with a reload, or, where pg_settings calls their context "postmaster",
 * only with a restart of the server.
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
  const [answer] = await session.query(
    `SELECT name FROM pg_catalog.pg_settings WHERE context = 'postmaster'${names.includes('all') ? '' : ` AND name IN (${names.map(quoteLiteral).join(', ')})`} ORDER BY name`,
  );
  const postmaster = new Set((answer?.rows ?? []).map((row) => row[0] ?? ''));
  const named = [...new Set(names)];
  const restart = named.filter((name) => postmaster.has(name));
  const reload = [...new Set(unloaded)].filter((name) => !postmaster.has(name) && name !== 'all');
  return [
    ...(restart.length === 0
      ? []
      : [`${list(restart)} ${restart.length === 1 ? 'takes' : 'take'} effect only after a restart of the server.`]),
    ...(named.includes('all')
      ? [
          'ALTER SYSTEM RESET ALL takes effect with SELECT pg_reload_conf(); some settings need a restart of the server.',
        ]
      : []),
    ...(reload.length === 0
      ? []
      : [`${list(reload)} ${reload.length === 1 ? 'takes' : 'take'} effect after a reload: SELECT pg_reload_conf();`]),
  ];
}

function list(names: readonly string[]): string {
  return names.length < 2 ? (names[0] ?? '') : `${names.slice(0, -1).join(', ')} and ${names.at(-1) ?? ''}`;
}

import type { LockHolder } from '../adapter/locks.js';

/** How much of another session's statement is shown. */
const queryLength = 80;

/** A holder whose texts can be shown: without secrets, on one line, its query cut. */
export function presentable(holder: LockHolder, redact: (text: string) => string): LockHolder {
  const show = (text: string | null): string | null => (text === null ? null : onOneLine(redact(text)));
  const query = show(holder.query);
  return {
    ...holder,
    user: show(holder.user),
    application: show(holder.application),
    query: query !== null && query.length > queryLength ? `${query.slice(0, queryLength - 1)}…` : query,
  };
}

/** Blanks for line ends and for control characters, with which a name could take over the terminal. */
function onOneLine(text: string): string {
  return text.replaceAll(/[\s\p{Cc}\p{Cf}]+/gu, ' ').trim();
}

/** "process 4711 (reporting, app, 10.0.0.5, idle in transaction for 12 min)", without its query. */
export function describeHolder(holder: LockHolder): string {
  const { user, application, client, openMs } = holder;
  const age = openMs === null ? '' : ` for ${printAge(openMs)}`;
  if (holder.kind === 'prepared-transaction') {
    const by = user === null ? '' : ` of ${user}`;
    return `the prepared transaction '${onOneLine(holder.gid ?? '')}'${by}${openMs === null ? '' : `, ${printAge(openMs)} old`}`;
  }
  const doing = holder.state === 'unknown' ? `${kindWords[holder.kind]}${age}` : `${holder.state}${age}`;
  const parts = [application, user, client, ...(holder.kind === 'session' ? [] : [kindWords[holder.kind]]), doing];
  return `process ${holder.pid ?? '?'} (${[...new Set(parts)].filter((part) => part !== null && part !== '').join(', ')})`;
}

const kindWords: Readonly<Record<LockHolder['kind'], string>> = {
  session: 'state not known',
  'prepared-transaction': 'prepared',
  autovacuum: 'autovacuum',
  'autovacuum-wraparound': 'autovacuum to prevent wraparound',
  replication: 'replication',
  background: 'background process',
};

/** The holder, and what it runs or ran last. */
export function describeWithQuery(holder: LockHolder): string {
  const words = describeHolder(holder);
  return holder.query === null || holder.query === '' ? words : `${words}: ${holder.query}`;
}

/** "3 s", "12 min", "5 h", "3 days". */
export function printAge(ms: number): string {
  const seconds = Math.round(ms / 1000);
  if (seconds < 90) return `${seconds} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 90) return `${minutes} min`;
  const hours = Math.round(minutes / 60);
  return hours < 48 ? `${hours} h` : `${Math.round(hours / 24)} days`;
}

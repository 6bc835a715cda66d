import { canonicalJson, sha256 } from '../fingerprint/fingerprint.js';
import { isComparableElsewhere } from '../proof/footprint.js';
import { grades, type Grade } from '../proof/grade.js';
import type { VersionProof } from '../proof/proof.js';
import type { Basis } from './basis.js';
import type { ServerEdition } from './server-edition.js';

/**
 * How proofs are made. Raised when a proof looks at more, or otherwise: receipts of an older way of proving are then stale.
 */
export const proofMethod = 1;

/** What is kept of a proof: what it came to, and what it was made of. Names are those of flyback.lock. */
export interface Receipt {
  readonly grade: Grade;
  /** Major version of the server that it was made on. */
  readonly major: number;
  /** Its product; undefined: PostgreSQL. */
  readonly product?: 'MySQL' | 'MariaDB' | undefined;
  readonly method: number;
  /** Digests of what was proven, as basisOf tells. */
  readonly migrations: string;
  readonly migration: string;
  readonly script: string;
  readonly fixtures?: string | undefined;
  /** What a person should know about how it was made, for example which tables were given generated rows. */
  readonly notes?: readonly string[] | undefined;
  /** What the script leaves behind on purpose: "table public.kept". */
  readonly left?: readonly string[] | undefined;
  /** What is not as it was once the version is taken back: "enum public.state". */
  readonly differs?: readonly string[] | undefined;
  /** "index public.i" → its digest without the migration and with it; null: it is not there. */
  readonly touched: Readonly<Record<string, readonly [before: string | null, applied: string | null]>>;
  /** "public.t" → a mark of 8 hex characters for every part of it that the migration leaves alone, one behind the other. */
  readonly around: Readonly<Record<string, string>>;
}

/** The receipt for a proof. Pure. */
export function receiptOf(proof: VersionProof, basis: Basis, { product, major }: ServerEdition): Receipt {
  const { migrations, migration, script, fixtures } = basis;
  const { footprint } = proof;
  const touched = footprint.filter(({ before, applied }) => before !== applied);
  const around = new Map<string, string[]>();
  for (const { kind, name, before, applied, relation } of footprint) {
    if (before !== applied || applied === undefined || relation === undefined) continue;
    around.set(relation, [...(around.get(relation) ?? []), markOf(kind, name, applied)]);
  }
  const relations = new Set(touched.flatMap(({ relation }) => relation ?? []));
  const { notes: reservations, generated } = proof;
  const notes =
    generated.length === 0 ? reservations : [...reservations, `Rows were generated in ${generated.join(', ')}.`];
  const differs = proof.changes.filter(isComparableElsewhere).map(({ kind, name }) => `${kind} ${name}`);
  return {
    grade: proof.grade,
    major,
    ...(product === 'PostgreSQL' ? {} : { product }),
    method: proofMethod,
    migrations,
    migration,
    script,
    ...(fixtures === undefined ? {} : { fixtures }),
    ...(notes.length === 0 ? {} : { notes }),
    ...(proof.left.length === 0 ? {} : { left: proof.left }),
    ...(differs.length === 0 ? {} : { differs }),
    touched: Object.fromEntries(
      touched.map(({ kind, name, before, applied }) => [`${kind} ${name}`, [before ?? null, applied ?? null]]),
    ),
    around: Object.fromEntries(
      [...relations].map((relation) => [relation, (around.get(relation) ?? []).sort().join('')]),
    ),
  };
}

/** Characters of a mark. */
export const markLength = 8;

/** Tells an object in the state with this digest from every other, as well as a few characters can. */
export function markOf(kind: string, name: string, digest: string): string {
  return sha256(`${kind}\n${name}\n${digest}`).slice(0, markLength);
}

/** The text of a receipt, always the same for the same receipt. */
export function printReceipt(receipt: Receipt): string {
  return canonicalJson(receipt);
}

const digest = /^[0-9a-f]{16,64}$/;

/** Reads the text of a receipt; a text for what is wrong with it. */
export function parseReceipt(text: string): Receipt | string {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return 'it is not JSON';
  }
  if (!isRecord(value)) return 'it is not an object';
  const { grade, major, method, migrations, migration, script, fixtures, touched, around } = value;
  if (!grades.some((known) => known === grade)) return 'its grade is unknown';
  if (!Number.isInteger(major) || !Number.isInteger(method)) return 'its major or method is not a number';
  if (![undefined, 'MySQL', 'MariaDB'].some((known) => known === value['product'])) return 'its product is unknown';
  if (
    ![migrations, migration, script, fixtures ?? migrations].every(
      (item) => typeof item === 'string' && digest.test(item),
    )
  )
    return 'a digest is missing or is none';
  for (const list of [value['notes'], value['left'], value['differs']]) {
    if (list !== undefined && !(Array.isArray(list) && list.every((item) => typeof item === 'string')))
      return 'a list holds something else than names';
  }
  if (!isRecord(touched) || !Object.values(touched).every(isPair))
    return 'what it says about touched objects is unreadable';
  if (
    !isRecord(around) ||
    !Object.values(around).every((marks) => typeof marks === 'string' && /^(?:[0-9a-f]{8})*$/.test(marks))
  )
    return 'what it says about the objects around is unreadable';
  return value as unknown as Receipt;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isPair(value: unknown): boolean {
  return Array.isArray(value) && value.length === 2 && value.every((item) => item === null || typeof item === 'string');
}

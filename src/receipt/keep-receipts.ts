import path from 'node:path';
import type { ProvePolicy } from '../config/config.js';
import { canonicalJson } from '../fingerprint/fingerprint.js';
import type { Project } from '../project/project.js';
import type { VersionProof } from '../proof/proof.js';
import { basesOf } from './basis.js';
import { printReceipt, receiptOf, type Receipt } from './receipt.js';
import type { ServerEdition } from './server-edition.js';
import { printReceipts, readReceipts, receiptFileName, writeReceipts, type ReceiptLine } from './receipt-file.js';

/** What became of flyback.lock, by the texts of the versions. */
export interface Kept {
  readonly file: string;
  /** Proven: their receipts are new, or as they were. */
  readonly written: readonly string[];
  readonly unchanged: readonly string[];
  /** Receipts that are gone: the proof does not pass any more, or the version has no migration or no script left. */
  readonly removed: readonly string[];
}

/**
 * Keeps the receipts of these proofs in flyback.lock, which is read again just before: other versions' lines stay as they
 * are. A proof that does not pass takes the version's receipt away; one that could not be made here leaves it.
 */
export async function keepReceipts(
  project: Project,
  proofs: readonly VersionProof[],
  edition: ServerEdition,
  policy: ProvePolicy,
): Promise<Kept> {
  const { versions } = project.toolbox.history;
  const folder = project.config.projectFolder;
  const current = await readReceipts(folder, versions);
  const bases = basesOf(project);
  const lines = new Map<string, Pick<ReceiptLine, 'version' | 'receipt'>>(current?.lines);
  const before = new Map([...lines].map(([key, line]) => [key, line.receipt]));
  const written: string[] = [];
  const unchanged: string[] = [];
  for (const proof of proofs) {
    const version = versions.parse(proof.version);
    const basis = version === undefined ? undefined : bases.get(version.key);
    if (version === undefined || basis === undefined) continue;
    if (policy.passes.includes(proof.grade)) {
      const receipt = receiptOf(proof, basis, edition);
      (sameReceipt(before.get(version.key), receipt) ? unchanged : written).push(version.text);
      lines.set(version.key, { version, receipt });
    } else if (proof.grade !== 'not-possible') lines.delete(version.key);
  }
  for (const key of lines.keys()) if (!bases.has(key)) lines.delete(key);
  const removed = [...(current?.lines ?? [])].flatMap(([key, { version }]) => (lines.has(key) ? [] : [version.text]));
  const file = path.join(folder, receiptFileName);
  // A line that was edited shows nothing, so it goes.
  const edited = [...lines].filter(([, { receipt }]) => receipt === undefined);
  const sound = [...lines.values()].flatMap(({ version, receipt }) =>
    receipt === undefined ? [] : [{ version, receipt }],
  );
  if (written.length > 0 || removed.length > 0 || edited.length > 0)
    await writeReceipts(file, printReceipts(sound, versions));
  return {
    file,
    written,
    unchanged,
    removed: [...removed, ...edited.map(([, { version }]) => version.text)],
  };
}

/** How a version's receipt compares with a proof made just now. */
export interface Checked {
  readonly version: string;
  readonly result: 'confirmed' | 'missing' | 'edited' | 'stale' | 'different' | 'not-passing' | 'not-possible';
  /** Of `stale` and `different`: the parts of the receipt that are other than in the proof. */
  readonly parts: readonly string[];
}

/** Compares every proof with the receipt in flyback.lock. Writes nothing. */
export async function checkReceipts(
  project: Project,
  proofs: readonly VersionProof[],
  edition: ServerEdition,
  policy: ProvePolicy,
): Promise<readonly Checked[]> {
  const { versions } = project.toolbox.history;
  const current = await readReceipts(project.config.projectFolder, versions);
  const bases = basesOf(project);
  return proofs.map((proof): Checked => {
    const key = versions.parse(proof.version)?.key ?? '';
    const [line, basis] = [current?.lines.get(key), bases.get(key)];
    const told = (result: Checked['result'], parts: readonly string[] = []): Checked => ({
      version: proof.version,
      result,
      parts,
    });
    if (proof.grade === 'not-possible') return told('not-possible');
    if (!policy.passes.includes(proof.grade)) return told('not-passing');
    if (line === undefined || basis === undefined) return told('missing');
    if (line.receipt === undefined) return told('edited');
    const fresh = receiptOf(proof, basis, edition);
    if (sameReceipt(line.receipt, fresh)) return told('confirmed');
    const parts = differingParts(line.receipt, fresh);
    return told(parts.some((part) => ofBasis.has(part)) ? 'stale' : 'different', parts);
  });
}

/** Parts of a receipt that say what it is about, not what it came to. */
const ofBasis: ReadonlySet<string> = new Set(['fixtures', 'method', 'migration', 'migrations', 'script']);

function sameReceipt(a: Receipt | undefined, b: Receipt): boolean {
  return a !== undefined && printReceipt(a) === printReceipt(b);
}

function differingParts(a: Receipt, b: Receipt): readonly string[] {
  const [left, right] = [new Map<string, unknown>(Object.entries(a)), new Map<string, unknown>(Object.entries(b))];
  const names = new Set([...left.keys(), ...right.keys()]);
  return [...names].filter((name) => textOf(left.get(name)) !== textOf(right.get(name))).sort();
}

function textOf(value: unknown): string {
  return value === undefined ? '' : canonicalJson(value);
}

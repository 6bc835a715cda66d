import type { Policy, ProvePolicy } from '../config/config.js';
import { FlybackError } from '../errors/error.js';
import type { Finding } from '../errors/finding.js';
import type { Version } from '../history/version.js';
import type { Pair } from '../pairing/pair.js';
import type { Project } from '../project/project.js';
import { basesOf, type Basis } from './basis.js';
import { proofMethod, type Receipt } from './receipt.js';
import { readReceipts, receiptFileName, type ReceiptLine } from './receipt-file.js';
import { editionOfReceipt, editionText, isSameEdition, type ServerEdition } from './server-edition.js';

/**
 * What is known of a version's proof.
 * - proven: its receipt is about what lies here now, and its grade passes
 * - not-passing: likewise, but the policy does not let its grade pass (any more)
 * - stale: something that it rests upon has changed since
 * - unproven: there is no receipt, or one that was edited
 */
export type ProofState =
  | { readonly state: 'proven' | 'not-passing'; readonly receipt: Receipt }
  | { readonly state: 'stale'; readonly receipt: Receipt; readonly reasons: readonly string[] }
  | { readonly state: 'unproven'; readonly edited: ReceiptLine | undefined };

/** What a project's receipts say about its versions, and what its policy makes of it. */
export interface ProofBook {
  /** Whether there is flyback.lock. */
  readonly kept: boolean;
  /** Of versions whose proof does not count; what the configuration leaves open follows from `kept`. */
  readonly requirement: Policy;
  readonly drift: Policy;
  /** The target's server; undefined where none is asked. */
  readonly edition: ServerEdition | undefined;
  /** By the key of the version; each that has a migration and a rollback script. */
  readonly states: ReadonlyMap<string, ProofState>;
  /** Why flyback.lock, or a file that receipts are about, cannot be read: everything then counts as unproven. */
  readonly failure: FlybackError | undefined;
}

/**
 * Reads flyback.lock and compares it with the files of the project. `edition` is the target's server, where one is known.
 * Without flyback.lock and without a policy nothing is computed. Never throws for what files hold.
 */
export async function readProofBook(
  project: Pick<Project, 'config' | 'migrations' | 'pairs' | 'toolbox' | 'functions'>,
  edition: ServerEdition | undefined,
): Promise<ProofBook> {
  const { config, toolbox } = project;
  const { prove } = config;
  let failure: FlybackError | undefined;
  const attempt = async <T>(work: () => T | Promise<T>): Promise<T | undefined> => {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof FlybackError)) throw error;
      failure ??= error;
      return undefined;
    }
  };
  const lines = (await attempt(() => readReceipts(config.projectFolder, toolbox.history.versions)))?.lines;
  const kept = lines !== undefined || failure !== undefined;
  const requirement = prove.requireProof ?? (kept ? 'warn' : 'off');
  const isAsked = kept || requirement !== 'off';
  const bases = isAsked ? await attempt(() => basesOf(project)) : undefined;
  const scripted = isAsked ? project.pairs.filter(({ script }) => script !== undefined) : [];
  const states = statesOf(scripted, bases ?? new Map<string, Basis>(), lines, prove, edition);
  return { kept, requirement, drift: prove.drift, edition, states, failure };
}

/** Compares the receipts of versions with what they would have to be about. `edition` undefined: any will do. Pure. */
function statesOf(
  versions: readonly Pick<Pair, 'version'>[],
  bases: ReadonlyMap<string, Basis>,
  lines: ReadonlyMap<string, ReceiptLine> | undefined,
  policy: ProvePolicy,
  edition: ServerEdition | undefined,
): ReadonlyMap<string, ProofState> {
  return new Map(
    versions.map(({ version: { key } }): readonly [string, ProofState] => {
      const [line, basis] = [lines?.get(key), bases.get(key)];
      const receipt = line?.receipt;
      // Without a migration file there is nothing to prove with.
      if (receipt === undefined || basis === undefined)
        return [key, { state: 'unproven', edited: receipt === undefined ? line : undefined }];
      const reasons = reasonsOf(receipt, basis, policy.sameMajor ? edition : undefined);
      if (reasons.length > 0) return [key, { state: 'stale', receipt, reasons }];
      return [key, { state: policy.passes.includes(receipt.grade) ? 'proven' : 'not-passing', receipt }];
    }),
  );
}

/** Why a receipt is about something else, in words that end a sentence; empty: it is not. */
function reasonsOf(receipt: Receipt, basis: Basis, edition: ServerEdition | undefined): readonly string[] {
  const isOwn = receipt.migration !== basis.migration;
  return [
    ...(isOwn ? ['its migration was changed'] : []),
    ...(!isOwn && receipt.migrations !== basis.migrations
      ? ['a migration below it was changed, added or removed']
      : []),
    ...(receipt.script === basis.script ? [] : ['its rollback script was changed']),
    ...(receipt.fixtures === basis.fixtures ? [] : ['the fixtures were changed']),
    ...(receipt.method === proofMethod ? [] : ['another version of flyback proves otherwise']),
    ...(edition === undefined || isSameEdition(editionOfReceipt(receipt), edition)
      ? []
      : [
          `it was proven on ${editionText(editionOfReceipt(receipt))}, and the target is ${otherText(receipt, edition)}`,
        ]),
  ];
}

/** Another server than the receipt's: the product is named where it is another one. */
function otherText(receipt: Receipt, edition: ServerEdition): string {
  return editionOfReceipt(receipt).product === edition.product ? String(edition.major) : editionText(edition);
}

/** A version's proof in a word or two, for a table: "exact", "exact (on 18)" where the target is another major, "stale". */
export function proofWord({ states, edition }: Pick<ProofBook, 'states' | 'edition'>, version: Version): string {
  const state = states.get(version.key);
  if (state === undefined) return '–';
  if (state.state === 'stale' || state.state === 'unproven') return state.state;
  const { grade } = state.receipt;
  const provenOn = editionOfReceipt(state.receipt);
  const remarks = [
    ...(state.state === 'proven' ? [] : ['does not pass']),
    ...(edition === undefined || isSameEdition(provenOn, edition)
      ? []
      : [`on ${provenOn.product === edition.product ? provenOn.major : editionText(provenOn)}`]),
  ];
  return `${grade}${remarks.length === 0 ? '' : ` (${remarks.join(', ')})`}`;
}

/** The proofs of these versions in a word each. */
export function proofSummary(
  book: ProofBook,
  versions: readonly Pick<Pair, 'version'>[],
): Readonly<Record<string, string>> {
  return Object.fromEntries(versions.map(({ version }) => [version.text, proofWord(book, version)]));
}

/** A state as data. */
export function proofJson(state: ProofState | undefined): unknown {
  if (state === undefined) return null;
  if (state.state === 'unproven') return { state: state.state, edited: state.edited !== undefined };
  const { grade, major, product } = state.receipt;
  return {
    state: state.state,
    grade,
    major,
    ...(product === undefined ? {} : { product }),
    ...(state.state === 'stale' ? { reasons: state.reasons } : {}),
  };
}

/** How bad it is that a proof does not count. */
function severityOf(requirement: Policy): Finding['severity'] {
  return requirement === 'stop' ? 'error' : requirement === 'warn' ? 'warning' : 'info';
}

/**
 * What there is to say about the proofs of these versions, in their order: an error where the policy stops, a warning or
 * a mention elsewhere; an edited line is an error always. Versions without a rollback script are left to others.
 */
export function proofFindings(book: ProofBook, versions: readonly Pick<Pair, 'version'>[]): readonly Finding[] {
  const severity = severityOf(book.requirement);
  const unreadable: readonly Finding[] =
    book.failure === undefined
      ? []
      : [
          {
            code: 'receipts-invalid',
            severity: 'error',
            subject: receiptFileName,
            message: book.failure.message,
            hint: book.failure.hint,
            location: book.failure.location,
          },
        ];
  if (!book.kept && book.requirement === 'off') return [];
  return [
    ...unreadable,
    ...versions.flatMap(({ version }) => {
      const state = book.states.get(version.key);
      const finding = state === undefined ? undefined : findingOf(version.text, state, severity);
      return finding ?? [];
    }),
  ];
}

function findingOf(version: string, state: ProofState, severity: Finding['severity']): Finding | undefined {
  const again = `flyback prove ${version}`;
  switch (state.state) {
    case 'proven':
      return undefined;
    case 'not-passing':
      return {
        code: 'proof-not-passing',
        severity,
        subject: version,
        message: `The proof of version ${version} came to ${state.receipt.grade}, which prove.passes does not let pass.`,
        hint: `Correct the rollback script, then: ${again}`,
      };
    case 'stale':
      return {
        code: 'proof-stale',
        severity,
        subject: version,
        message: `The proof of version ${version} does not count any more: ${state.reasons.join('; ')}.`,
        hint: `Prove it again: ${again}`,
      };
    case 'unproven':
      if (state.edited !== undefined) {
        return {
          code: 'receipt-edited',
          severity: 'error',
          subject: version,
          message: `The receipt of version ${version} was edited: its line in ${receiptFileName} does not match its checksum, so it shows nothing.`,
          hint: `Prove it again: ${again}`,
          location: state.edited.location,
        };
      }
      return {
        code: 'rollback-unproven',
        severity,
        subject: version,
        message: `Nothing shows that the rollback of version ${version} restores what was there.`,
        hint: `Prove it: ${again}`,
      };
  }
}

/** Throws FlybackError proof-missing when the policy stops rollbacks without a proof and one of these versions has none. */
export function requireProofs(book: ProofBook, versions: readonly Pick<Pair, 'version'>[]): void {
  if (book.requirement !== 'stop') return;
  const findings = proofFindings(book, versions);
  if (findings.length === 0) return;
  throw new FlybackError(
    'proof-missing',
    'The policy prove.requireProof lets no version be taken back without a proof.',
    {
      hint: 'Run flyback prove, or allow it once with --require-proof warn.',
      findings,
    },
  );
}

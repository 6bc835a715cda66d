import { differenceText } from '../../proof/difference-text.js';
import type { Grade } from '../../proof/grade.js';
import type { VersionProof } from '../../proof/proof.js';
import type { ChainProof } from '../../proof/prove-chain.js';
import type { Checked, Kept } from '../../receipt/keep-receipts.js';
import { receiptFileName } from '../../receipt/receipt-file.js';
import { paint } from './error-text.js';
import { count, printDuration } from './numbers.js';
import { printTable } from './table.js';

const gradeWords: Readonly<Record<Grade, string>> = {
  exact: 'exact',
  'column-order': 'same but for column order',
  residue: 'same but for what cannot be taken back',
  'loss-declared': 'rows lost, as declared',
  'data-lost': 'DATA LOST',
  different: 'DIFFERENT',
  failed: 'FAILED',
  'not-possible': 'not possible here',
};

function gradeText(grade: Grade, stream: NodeJS.WriteStream): string {
  const style =
    grade === 'exact' || grade === 'column-order'
      ? 'green'
      : grade === 'residue' || grade === 'loss-declared'
        ? 'yellow'
        : 'red';
  return paint(style, gradeWords[grade], stream);
}

/** One line of progress. */
export function proofLine(proof: VersionProof, done: number, of: number, stream: NodeJS.WriteStream): string {
  return `${done}/${of}  version ${proof.version}  ${gradeText(proof.grade, stream)}  ${printDuration(proof.durationMs)}`;
}

/** A line for each version. */
export async function proofsTable(proofs: readonly VersionProof[]): Promise<string> {
  return printTable(
    ['version', 'description', 'proof', 'time'],
    proofs.map(({ version, description, grade, durationMs }) => [
      version,
      description,
      gradeWords[grade],
      printDuration(durationMs),
    ]),
  );
}

/** All versions in a row. */
export async function chainText(chain: ChainProof, stream: NodeJS.WriteStream): Promise<string> {
  const down = chain.stoppedAt === undefined ? 'down to an empty database' : `down to version ${chain.stoppedAt}`;
  const head = `${count(chain.versions, 'version')} in a row ${down} and up again: ${gradeText(chain.grade, stream)}`;
  const difference = await differenceText(chain);
  return [
    head,
    ...(difference === '' ? [] : [indent(difference)]),
    ...(difference === '' && chain.reason !== undefined ? [indent(chain.reason)] : []),
  ].join('\n');
}

/** What was done with flyback.lock. */
export function keptText({ written, unchanged, removed }: Kept): string {
  const told = [
    ...(written.length === 0 ? [] : [`${count(written.length, 'receipt')} written`]),
    ...(unchanged.length === 0 ? [] : [`${unchanged.length} as before`]),
    ...(removed.length === 0 ? [] : [`removed: ${removed.join(', ')}`]),
  ];
  return `${receiptFileName}: ${told.length === 0 ? 'nothing to keep' : told.join('; ')}`;
}

const checkWords: Readonly<Record<Checked['result'], string>> = {
  confirmed: 'confirmed',
  missing: 'has no receipt',
  edited: 'has a receipt that was edited',
  stale: 'has a receipt that is stale',
  different: 'has a receipt that says otherwise',
  'not-passing': 'does not pass',
  'not-possible': 'cannot be proven here',
};

/** How flyback.lock compares with proofs made just now. */
export function checkText(checked: readonly Checked[]): string {
  const confirmed = checked.filter(({ result }) => result === 'confirmed').length;
  return [
    ...checked
      .filter(({ result }) => result !== 'confirmed')
      .map(
        ({ version, result, parts }) =>
          `version ${version} ${checkWords[result]}${parts.length === 0 ? '' : ` (${parts.join(', ')})`}`,
      ),
    `${receiptFileName}: ${confirmed} of ${count(checked.length, 'receipt')} confirmed`,
  ].join('\n');
}

/** What was not looked at, beside the proofs. */
export interface Rest {
  readonly upToDate: readonly string[];
  readonly withoutRollback: readonly string[];
  /** The git revision, where it chose the versions. */
  readonly since: string | undefined;
}

/** What was proven, with every difference. */
export async function proofsText(
  proofs: readonly VersionProof[],
  { upToDate, withoutRollback, since }: Rest,
  passed: boolean,
  stream: NodeJS.WriteStream,
): Promise<string> {
  const told = proofs.filter(({ grade, left, notes }) => grade !== 'exact' || left.length > 0 || notes.length > 0);
  const restored = proofs.filter(({ grade }) => grade === 'exact' || grade === 'column-order').length;
  const left =
    upToDate.length === 0 ? '' : `; ${upToDate.length} ${upToDate.length === 1 ? 'was' : 'were'} proven before`;
  return [
    ...(await Promise.all(told.map((proof) => details(proof, stream)))),
    ...(withoutRollback.length === 0 ? [] : [`without a rollback script, not proven: ${withoutRollback.join(', ')}\n`]),
    proofs.length > 0
      ? `${passed ? 'proven' : 'NOT PROVEN'}: ${restored} of ${count(proofs.length, 'rollback')} ${restored === 1 ? 'restores' : 'restore'} what was there${left}`
      : since !== undefined
        ? `nothing to prove: no version changed since ${since}`
        : upToDate.length > 0
          ? `nothing to prove: all ${count(upToDate.length, 'rollback')} were proven before, and nothing has changed since`
          : 'NOT PROVEN: there is no rollback script to prove',
  ].join('\n');
}

async function details(proof: VersionProof, stream: NodeJS.WriteStream): Promise<string> {
  const head = `version ${proof.version}  ${proof.description}: ${gradeText(proof.grade, stream)}`;
  const difference = await differenceText(proof);
  return [
    head,
    ...(difference === '' ? [] : [indent(difference)]),
    ...(difference === '' && proof.reason !== undefined ? [indent(proof.reason)] : []),
    ...(proof.grade === 'failed' && difference !== '' && proof.reason !== undefined ? [indent(proof.reason)] : []),
    ...(proof.left.length === 0 ? [] : [indent(`left behind on purpose: ${proof.left.join(', ')}`)]),
    ...(proof.notes.length === 0 ? [] : [indent(proof.notes.map((note) => `not known: ${note}`).join('\n'))]),
    '',
  ].join('\n');
}

function indent(text: string): string {
  return text.replaceAll(/^/gm, '  ');
}

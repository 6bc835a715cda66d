import { differenceText } from '../../proof/difference-text.js';
import type { Grade } from '../../proof/grade.js';
import type { VersionProof } from '../../proof/proof.js';
import { paint } from './error-text.js';
import { count, printDuration } from './numbers.js';

const gradeWords: Readonly<Record<Grade, string>> = {
  exact: 'exact',
  'column-order': 'same but for column order',
  residue: 'same but for what cannot be taken back',
  'data-lost': 'DATA LOST',
  different: 'DIFFERENT',
  failed: 'FAILED',
  'not-possible': 'not possible here',
};

function gradeText(grade: Grade, stream: NodeJS.WriteStream): string {
  const style = grade === 'exact' || grade === 'column-order' ? 'green' : grade === 'residue' ? 'yellow' : 'red';
  return paint(style, gradeWords[grade], stream);
}

/** One line of progress. */
export function proofLine(proof: VersionProof, done: number, of: number, stream: NodeJS.WriteStream): string {
  return `${done}/${of}  version ${proof.version}  ${gradeText(proof.grade, stream)}  ${printDuration(proof.durationMs)}`;
}

/** What was proven, with every difference. */
export function proofsText(
  proofs: readonly VersionProof[],
  withoutRollback: readonly string[],
  passed: boolean,
  stream: NodeJS.WriteStream,
): string {
  const told = proofs.filter(({ grade, left }) => grade !== 'exact' || left.length > 0);
  const restored = proofs.filter(({ grade }) => grade === 'exact' || grade === 'column-order').length;
  return [
    ...told.map((proof) => details(proof, stream)),
    ...(withoutRollback.length === 0 ? [] : [`without a rollback script, not proven: ${withoutRollback.join(', ')}\n`]),
    proofs.length === 0
      ? 'NOT PROVEN: there is no rollback script to prove'
      : `${passed ? 'proven' : 'NOT PROVEN'}: ${restored} of ${count(proofs.length, 'rollback')} ${restored === 1 ? 'restores' : 'restore'} what was there`,
  ].join('\n');
}

function details(proof: VersionProof, stream: NodeJS.WriteStream): string {
  const head = `version ${proof.version}  ${proof.description}: ${gradeText(proof.grade, stream)}`;
  const difference = differenceText(proof);
  return [
    head,
    ...(difference === '' ? [] : [indent(difference)]),
    ...(difference === '' && proof.reason !== undefined ? [indent(proof.reason)] : []),
    ...(proof.grade === 'failed' && difference !== '' && proof.reason !== undefined ? [indent(proof.reason)] : []),
    ...(proof.left.length === 0 ? [] : [indent(`left behind on purpose: ${proof.left.join(', ')}`)]),
    '',
  ].join('\n');
}

function indent(text: string): string {
  return text.replaceAll(/^/gm, '  ');
}

import type { ObjectRef } from '../../../../src/risk/change.js';
import { writeIdentifier } from '../classify/identifiers.js';

/** A possibly schema-qualified name as SQL writes it. */
export function nameText(ref: { readonly schema?: string | undefined; readonly name: string }): string {
  const name = writeIdentifier(ref.name);
  return ref.schema === undefined ? name : `${writeIdentifier(ref.schema)}.${name}`;
}

/** "TRIGGER audit ON shop.orders": the words by which DROP, ALTER and COMMENT name an object. */
export function objectText(ref: ObjectRef): string {
  const word = ref.kind.toUpperCase();
  const member = writeIdentifier(ref.member ?? '');
  switch (ref.kind) {
    case 'trigger':
    case 'rule':
    case 'policy':
    case 'constraint':
      return `${word} ${member} ON ${nameText(ref)}`;
    case 'domain constraint':
      return `CONSTRAINT ${member} ON DOMAIN ${nameText(ref)}`;
    case 'column':
      return `COLUMN ${nameText(ref)}.${member}`;
    case 'function':
    case 'procedure':
    case 'aggregate':
    case 'routine':
      return ref.signature === undefined ? `${word} ${nameText(ref)}` : `${word} ${nameText(ref)}(${ref.signature})`;
    case 'operator':
      // An operator's own name is never quoted.
      return `OPERATOR ${ref.schema === undefined ? '' : `${writeIdentifier(ref.schema)}.`}${ref.name} (${ref.signature ?? ''})`;
    case 'operator class':
    case 'operator family':
      return `${word} ${nameText(ref)} USING ${writeIdentifier(ref.signature ?? '')}`;
    case 'cast':
      return `CAST (${ref.name})`;
    case 'transform':
      return `TRANSFORM FOR ${ref.name} LANGUAGE ${writeIdentifier(ref.signature ?? '')}`;
    case 'user mapping':
      return `USER MAPPING FOR ${ref.member === 'PUBLIC' ? 'PUBLIC' : member} SERVER ${nameText(ref)}`;
    default:
      return `${word} ${nameText(ref)}`;
  }
}

/** A line of a hint that is no SQL but an advice: it stays a comment when the hint is uncommented. */
export function advice(text: string): string {
  return `-- ${text}`;
}

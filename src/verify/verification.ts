import type { Statement } from '../scripts/statement.js';

/**
 * What a verification query must return.
 * - value: exactly one row, whose last column's text equals `value` (columns before it only name it, as in
 *   SELECT name, setting FROM pg_settings WHERE …)
 * - no-rows: nothing
 * - row-count: exactly `count` rows
 * - table: exactly these rows, in this order when the query orders them, as text, NULL as null
 * - comparison: exactly one row, its last column compared numerically (or as text for = and <>) with `operand`
 * - every: at least one row, and the named column of every row equals `value` (seed 001: "All delete_rule should be 'NO ACTION'")
 */
export type Expectation =
  | { readonly kind: 'value'; readonly value: string | null }
  | { readonly kind: 'no-rows' }
  | { readonly kind: 'row-count'; readonly count: number }
  | {
      readonly kind: 'table';
      readonly columns?: readonly string[] | undefined;
      readonly rows: readonly (readonly (string | null)[])[];
      /** True when the query orders its rows: then their order counts. */
      readonly ordered?: boolean | undefined;
    }
  | { readonly kind: 'comparison'; readonly operator: '=' | '<>' | '<' | '<=' | '>' | '>='; readonly operand: string }
  | { readonly kind: 'every'; readonly column: string; readonly value: string };

/** A query of a rollback script with what it must return before the transaction may commit. */
export interface Verification {
  readonly name: string;
  readonly query: Statement;
  readonly expectation: Expectation;
}

/** What one verification query returned. */
export interface VerificationResult {
  readonly name: string;
  readonly line: number;
  readonly query: string;
  /** The expectation in words, as a person would write it. */
  readonly expected: string;
  /** What came, in the same words; at most a few rows of it. */
  readonly actual: string;
  readonly passed: boolean;
  readonly durationMs: number;
}

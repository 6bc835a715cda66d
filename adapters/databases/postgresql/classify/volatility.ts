import type { Node } from 'libpg-query';
import { bodyOf, tagOf, textsOf } from './tree.js';

/**
 * Built-in functions that people use as column defaults and none of whose variants is volatile (pg_proc.provolatile), so
 * that ADD COLUMN stores the value once instead of rewriting the table. Any other function counts as volatile.
 */
export const steadyFunctions: ReadonlySet<string> = new Set(
  (
    'now transaction_timestamp statement_timestamp current_setting current_database current_schema txid_current ' +
    'pg_current_xact_id inet_client_addr pg_backend_pid upper lower initcap md5 sha256 length concat concat_ws format ' +
    'to_char to_date to_number to_timestamp date_trunc date_part extract make_date make_time make_timestamp make_timestamptz ' +
    'make_interval age abs round floor ceil ceiling trunc power sqrt mod coalesce left right substr substring replace ' +
    'trim btrim ltrim rtrim lpad rpad repeat split_part regexp_replace encode decode to_json to_jsonb ' +
    'json_build_object jsonb_build_object json_build_array jsonb_build_array array_fill array_append string_to_array ' +
    'int4range int8range numrange daterange tsrange tstzrange to_tsvector hashtext'
  ).split(' '),
);

/** True when a default may differ from row to row, so that adding a column with it must write every row. */
export function isVolatile(expression: unknown): boolean {
  if (Array.isArray(expression)) return expression.some(isVolatile);
  if (typeof expression !== 'object' || expression === null) return false;
  const call = tagOf(expression as Node) === 'FuncCall' ? bodyOf(expression as Node, 'FuncCall') : undefined;
  if (call !== undefined) {
    const names = textsOf(call.funcname);
    const builtIn = names.length === 1 || names[0] === 'pg_catalog';
    if (!builtIn || !steadyFunctions.has(names.at(-1) ?? '')) return true;
  }
  return Object.values(expression).some(isVolatile);
}

/**
 * Foreign keys that replica mode may have let through: those of every table that this transaction wrote rows to.
 *
 * Every foreign key has internal triggers on both its tables (pg_trigger.tgconstraint), and the statistics collector
 * counts the current transaction's row changes per table (pg_stat_get_xact_*), whoever made them: the script, a
 * function it called, a cascade. Where track_counts is off, the transaction's own locks tell instead.
 *
 * Kept simple because it runs for every step: a plan for the full question costs ten times its execution.
 */
export function touchedForeignKeys(): string {
  return `SELECT string_agg(DISTINCT g.tgconstraint::text, ',') FROM pg_catalog.pg_trigger g
 WHERE g.tgconstraint <> 0 AND CASE WHEN pg_catalog.current_setting('track_counts') = 'off'
  THEN EXISTS (SELECT FROM pg_catalog.pg_locks l WHERE l.pid = pg_catalog.pg_backend_pid() AND l.relation = g.tgrelid AND l.mode IN ('RowExclusiveLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock'))
  ELSE pg_catalog.pg_stat_get_xact_tuples_inserted(g.tgrelid) + pg_catalog.pg_stat_get_xact_tuples_updated(g.tgrelid) + pg_catalog.pg_stat_get_xact_tuples_deleted(g.tgrelid) > 0 END`;
}

/**
 * Rows for these constraints: name, table, referenced table, SQL that returns (number of violations, a sample key), or
 * null and why the key cannot be checked. Partitioned keys are checked at their root, where they are one constraint.
 */
export function foreignKeyChecks(constraintIds: string): string {
  return `WITH RECURSIVE roots(oid, parent) AS (
 SELECT c.oid, c.conparentid FROM pg_catalog.pg_constraint c WHERE c.oid IN (${constraintIds}) AND c.contype = 'f'
 UNION SELECT c.oid, c.conparentid FROM roots r JOIN pg_catalog.pg_constraint c ON c.oid = r.parent)
SELECT c.conname, c.conrelid::regclass::text, c.confrelid::regclass::text,
 CASE WHEN c.convalidated AND coalesce(pg_catalog.to_jsonb(c)->>'conperiod', 'false') = 'false' THEN
  pg_catalog.format('SELECT count(*), min(sample) FROM (SELECT %s AS sample FROM %s%s x WHERE (%s) AND NOT EXISTS (SELECT FROM %s%s p WHERE %s)%s LIMIT 1000) violations',
   k.sample, CASE WHEN f.relkind = 'p' THEN '' ELSE 'ONLY ' END, c.conrelid::regclass, k.present,
   CASE WHEN r.relkind = 'p' THEN '' ELSE 'ONLY ' END, c.confrelid::regclass, k.equal,
   CASE WHEN c.confmatchtype = 'f' THEN pg_catalog.format(' OR (NOT (%s) AND NOT (%s))', k.present, k.absent) ELSE '' END) END,
 CASE WHEN NOT c.convalidated THEN 'it is NOT VALID' ELSE 'it is a temporal key' END
FROM roots o JOIN pg_catalog.pg_constraint c ON c.oid = o.oid
JOIN pg_catalog.pg_class f ON f.oid = c.conrelid JOIN pg_catalog.pg_class r ON r.oid = c.confrelid
CROSS JOIN LATERAL (SELECT
  string_agg(pg_catalog.format('x.%I::text', a.attname), ' || '', '' || ' ORDER BY u.n) AS sample,
  string_agg(pg_catalog.format('x.%I IS NOT NULL', a.attname), ' AND ' ORDER BY u.n) AS present,
  string_agg(pg_catalog.format('x.%I IS NULL', a.attname), ' AND ' ORDER BY u.n) AS absent,
  string_agg(pg_catalog.format('p.%I OPERATOR(%I.%s) x.%I', b.attname, n.nspname, q.oprname, a.attname), ' AND ' ORDER BY u.n) AS equal
 FROM unnest(c.conkey, c.confkey, c.conpfeqop) WITH ORDINALITY AS u(key, ref, op, n)
 JOIN pg_catalog.pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = u.key
 JOIN pg_catalog.pg_attribute b ON b.attrelid = c.confrelid AND b.attnum = u.ref
 JOIN pg_catalog.pg_operator q ON q.oid = u.op JOIN pg_catalog.pg_namespace n ON n.oid = q.oprnamespace) k
WHERE o.parent = 0 AND coalesce(pg_catalog.to_jsonb(c)->>'conenforced', 'true') = 'true'`;
}

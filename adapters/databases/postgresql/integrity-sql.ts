/**
 * Constraints that replica mode may have let through: those of every table that this transaction wrote rows to.
 *
 * Every foreign key has internal triggers on both its tables (pg_trigger.tgconstraint), a deferrable unique or exclusion
 * constraint has one that looks again at rows which the index let pass, and the statistics collector
 * counts the current transaction's row changes per table (pg_stat_get_xact_*), whoever made them: the script, a
 * function it called, a cascade. Where track_counts is off, the transaction's own locks tell instead.
 *
 * Kept simple because it runs for every step: a plan for the full question costs ten times its execution.
 */
export function touchedConstraints(): string {
  return `SELECT string_agg(DISTINCT g.tgconstraint::text, ',') FROM pg_catalog.pg_trigger g
 WHERE g.tgconstraint <> 0 AND CASE WHEN pg_catalog.current_setting('track_counts') = 'off'
  THEN EXISTS (SELECT FROM pg_catalog.pg_locks l WHERE l.pid = pg_catalog.pg_backend_pid() AND l.relation = g.tgrelid AND l.mode IN ('RowExclusiveLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock'))
  ELSE pg_catalog.pg_stat_get_xact_tuples_inserted(g.tgrelid) + pg_catalog.pg_stat_get_xact_tuples_updated(g.tgrelid) + pg_catalog.pg_stat_get_xact_tuples_deleted(g.tgrelid) > 0 END`;
}

/**
 * Rows for these constraints: what is violated in words, SQL that returns (number of violations, a sample key) or null,
 * and why it cannot be checked. Partitioned ones are checked at their root, where they are one constraint.
 */
export function constraintChecks(constraintIds: string): string {
  return `WITH RECURSIVE roots(oid, parent) AS (
 SELECT c.oid, c.conparentid FROM pg_catalog.pg_constraint c WHERE c.oid IN (${constraintIds}) AND (c.contype = 'f' OR c.contype IN ('u', 'p', 'x') AND c.condeferrable)
 UNION SELECT c.oid, c.conparentid FROM roots r JOIN pg_catalog.pg_constraint c ON c.oid = r.parent)
${foreignKeys}
UNION ALL
${deferrableKeys}`;
}

const foreignKeys = `SELECT pg_catalog.format('of %s without a match in %s (constraint %s', c.conrelid::regclass, c.confrelid::regclass, c.conname),
 CASE WHEN c.convalidated AND coalesce(pg_catalog.to_jsonb(c)->>'conperiod', 'false') = 'false' THEN
  pg_catalog.format('SELECT count(*), min(sample) FROM (SELECT %s AS sample FROM %s%s x WHERE (%s) AND NOT EXISTS (SELECT FROM %s%s p WHERE %s)%s LIMIT 1000) violations',
   k.sample, CASE WHEN f.relkind = 'p' THEN '' ELSE 'ONLY ' END, c.conrelid::regclass, k.present,
   CASE WHEN r.relkind = 'p' THEN '' ELSE 'ONLY ' END, c.confrelid::regclass, k.equal,
   CASE WHEN c.confmatchtype = 'f' THEN pg_catalog.format(' OR (NOT (%s) AND NOT (%s))', k.present, k.absent) ELSE '' END) END,
 pg_catalog.format('foreign key %s of %s was not checked: %s', c.conname, c.conrelid::regclass, CASE WHEN NOT c.convalidated THEN 'it is NOT VALID' ELSE 'it is a temporal key' END)
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
WHERE o.parent = 0 AND c.contype = 'f' AND coalesce(pg_catalog.to_jsonb(c)->>'conenforced', 'true') = 'true'`;

/** The index of a deferrable key takes a second equal row and leaves the verdict to a trigger. */
const deferrableKeys = `SELECT pg_catalog.format('of %s with the same key (constraint %s', c.conrelid::regclass, c.conname),
 CASE WHEN c.contype <> 'x' THEN
  pg_catalog.format('SELECT count(*), min(sample) FROM (SELECT %s AS sample FROM %s%s x%s GROUP BY %s HAVING count(*) > 1 LIMIT 1000) violations',
   k.sample, CASE WHEN f.relkind = 'p' THEN '' ELSE 'ONLY ' END, c.conrelid::regclass,
   CASE WHEN coalesce(pg_catalog.to_jsonb(i)->>'indnullsnotdistinct', 'false') = 'true' THEN '' ELSE ' WHERE ' || k.present END, k.columns)
 WHEN i.indexprs IS NULL AND i.indpred IS NULL THEN
  pg_catalog.format('SELECT count(*), min(sample) FROM (SELECT %s AS sample FROM %s x JOIN %s p ON (x.tableoid, x.ctid) < (p.tableoid, p.ctid) AND %s LIMIT 1000) violations',
   k.sample, c.conrelid::regclass, c.conrelid::regclass, k.excluded) END,
 pg_catalog.format('exclusion constraint %s of %s was not checked: it has an expression or a condition', c.conname, c.conrelid::regclass)
FROM roots o JOIN pg_catalog.pg_constraint c ON c.oid = o.oid
JOIN pg_catalog.pg_class f ON f.oid = c.conrelid JOIN pg_catalog.pg_index i ON i.indexrelid = c.conindid
CROSS JOIN LATERAL (SELECT
  string_agg(pg_catalog.format('x.%I::text', a.attname), ' || '', '' || ' ORDER BY u.n) AS sample,
  string_agg(pg_catalog.format('x.%I', a.attname), ', ' ORDER BY u.n) AS columns,
  string_agg(pg_catalog.format('x.%I IS NOT NULL', a.attname), ' AND ' ORDER BY u.n) AS present,
  string_agg(CASE WHEN q.oid IS NOT NULL THEN pg_catalog.format('x.%I OPERATOR(%I.%s) p.%I', a.attname, n.nspname, q.oprname, a.attname) END, ' AND ' ORDER BY u.n) AS excluded
 FROM unnest(c.conkey, c.conexclop) WITH ORDINALITY AS u(key, op, n)
 JOIN pg_catalog.pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = u.key
 LEFT JOIN pg_catalog.pg_operator q ON q.oid = u.op LEFT JOIN pg_catalog.pg_namespace n ON n.oid = q.oprnamespace) k
WHERE o.parent = 0 AND c.contype IN ('u', 'p', 'x')`;

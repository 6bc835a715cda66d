/*
 * foreign_key_checks off lets rows through that have no parent, and tables go that others refer to; the server never looks
 * again (MySQL manual, "FOREIGN KEY Constraints"; MariaDB documentation, "Foreign Keys"). Nothing tells which tables a transaction
 * has written, so every foreign key of the database is checked.
 */

/** The database, where it has foreign keys. */
export function touchedConstraints(): string {
  return `SELECT MAX(constraint_schema) FROM information_schema.referential_constraints WHERE constraint_schema = DATABASE()`;
}

function quoted(column: string): string {
  return `CONCAT('\`', REPLACE(${column}, '\`', '\`\`'), '\`')`;
}

/** A list over the columns of a key, in their order. */
function overColumns(expression: string, separator: string): string {
  return `GROUP_CONCAT(${expression} ORDER BY k.ordinal_position SEPARATOR '${separator}')`;
}

/** A row for each foreign key of the database in use: what is violated in words, SQL that counts violations, why it cannot. */
export function constraintChecks(): string {
  const child = `CONCAT(${quoted('k.table_schema')}, '.', ${quoted('k.table_name')})`;
  const parent = `CONCAT(${quoted('k.referenced_table_schema')}, '.', ${quoted('k.referenced_table_name')})`;
  const sample = overColumns(`CONCAT('x.', ${quoted('k.column_name')})`, ', ');
  const given = overColumns(`CONCAT('x.', ${quoted('k.column_name')}, ' IS NOT NULL')`, ' AND ');
  const equal = overColumns(
    `CONCAT('p.', ${quoted('k.referenced_column_name')}, ' = x.', ${quoted('k.column_name')})`,
    ' AND ',
  );
  const hasParent = `EXISTS (SELECT 1 FROM information_schema.tables t WHERE t.table_schema = k.referenced_table_schema AND t.table_name = k.referenced_table_name)`;
  return `SELECT /*+ SET_VAR(group_concat_max_len = 1000000) */
 CONCAT('of ', k.table_name, ' without a match in ', k.referenced_table_name, ' (constraint ', k.constraint_name),
 CONCAT('SELECT COUNT(*), MIN(sample) FROM (SELECT CONCAT_WS('', '', ', ${sample}, ') AS sample FROM ', ${child}, ' x WHERE ', ${given},
  IF(${hasParent}, CONCAT(' AND NOT EXISTS (SELECT 1 FROM ', ${parent}, ' p WHERE ', ${equal}, ')'), ''), ' LIMIT 1000) violations'), NULL
FROM information_schema.key_column_usage k
WHERE k.constraint_schema = DATABASE() AND k.referenced_table_name IS NOT NULL
GROUP BY k.constraint_schema, k.table_schema, k.table_name, k.constraint_name, k.referenced_table_schema, k.referenced_table_name`;
}

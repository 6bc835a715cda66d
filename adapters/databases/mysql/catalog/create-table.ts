/*
 * Takes the answer of SHOW CREATE TABLE apart. The servers write one column, key or constraint in each line between the
 * parentheses, and escape line feeds in texts (sql/sql_show.cc, store_create_info).
 */

/** What a table consists of, each part as the server writes it. */
export interface TableParts {
  /** In their order; the definition without character set and collation, which depend on what the table's default is. */
  readonly columns: readonly { readonly name: string; readonly definition: string }[];
  /** The primary key has the name PRIMARY. Without USING, which the server writes only where somebody else did. */
  readonly keys: readonly { readonly name: string; readonly definition: string }[];
  readonly constraints: readonly { readonly name: string; readonly definition: string }[];
  /** Lines that are none of these, such as PERIOD FOR SYSTEM_TIME. */
  readonly others: readonly string[];
  /** ENGINE=InnoDB COMMENT=…, without the next value of AUTO_INCREMENT, ROW_FORMAT, character set and collation. */
  readonly options: string;
  readonly partitions: string | undefined;
}

const name = '`((?:[^`]|``)*)`';
const literal = String.raw`'(?:[^'\\]|\\.|'')*'`;
const columnLine = new RegExp(`^${name} (.*)$`, 's');
const keyLine = new RegExp(`^((?:UNIQUE |FULLTEXT |SPATIAL |VECTOR )?KEY) ${name} (.*)$`, 's');
const constraintLine = new RegExp(`^CONSTRAINT ${name} (.*)$`, 's');

/** `sql`: as SHOW CREATE TABLE gives it under an sql_mode that changes nothing of it. Pure. */
export function readCreateTable(sql: string): TableParts {
  const open = sql.indexOf('(\n');
  const close = endOfBody(sql, open + 1);
  const lines = sql
    .slice(open + 2, close)
    .split('\n')
    .map((line) => line.trim().replace(/,$/, ''));
  const columns: { name: string; definition: string }[] = [];
  const keys: { name: string; definition: string }[] = [];
  const constraints: { name: string; definition: string }[] = [];
  const others: string[] = [];
  for (const line of lines) {
    const key = keyLine.exec(line);
    const constraint = constraintLine.exec(line);
    const column = columnLine.exec(line);
    if (column !== null) columns.push({ name: unquoted(column[1]), definition: withoutCharset(column[2] ?? '') });
    else if (line.startsWith('PRIMARY KEY ')) keys.push({ name: 'PRIMARY', definition: withoutUsing(line) });
    else if (key !== null) {
      keys.push({ name: unquoted(key[2]), definition: withoutUsing(`${key[1] ?? ''} ${key[3] ?? ''}`) });
    } else if (constraint !== null) {
      constraints.push({ name: unquoted(constraint[1]), definition: withoutUsualRules(constraint[2] ?? '') });
    } else others.push(line);
  }
  const tail = sql.slice(close + 2);
  const [, options = '', partitions] = /^(.*?)(?:\n ?(?:\/\*!\d+ )?(PARTITION BY.*?)(?: \*\/)?)?$/s.exec(tail) ?? [];
  return { columns, keys, constraints, others, options: ownOptions(options), partitions };
}

/** Index of the line feed before the closing parenthesis. */
function endOfBody(sql: string, from: number): number {
  // No line of the body begins with a parenthesis, and partitions come behind it.
  const close = sql.indexOf('\n)', from);
  return close === -1 ? sql.length : close;
}

function unquoted(text: string | undefined): string {
  return (text ?? '').replaceAll('``', '`');
}

/** Replaces outside of texts. */
function replaceOutside(text: string, pattern: string): string {
  return text.replace(new RegExp(`(${literal})|${pattern}`, 'gs'), (_, kept: string | undefined) => kept ?? '');
}

function withoutCharset(definition: string): string {
  return replaceOutside(definition, String.raw` (?:CHARACTER SET|COLLATE) \w+`);
}

function withoutUsing(definition: string): string {
  return replaceOutside(definition, String.raw` USING \w+`);
}

/** RESTRICT and NO ACTION are the same to the engines, and the same as nothing (MySQL manual, "FOREIGN KEY Constraints"). */
function withoutUsualRules(definition: string): string {
  return definition.startsWith('FOREIGN KEY')
    ? definition.replaceAll(/ ON (?:DELETE|UPDATE) (?:NO ACTION|RESTRICT)/g, '')
    : definition;
}

function ownOptions(options: string): string {
  return replaceOutside(options, String.raw` (?:AUTO_INCREMENT=\d+|(?:ROW_FORMAT|DEFAULT CHARSET|COLLATE)=\w+)`).trim();
}

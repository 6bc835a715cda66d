/*
 * Commands of the mysql and mariadb clients, which the server does not know (MySQL manual, "mysql Client Commands";
 * MariaDB Knowledge Base, "mariadb Command-Line Client"). By name they count only at the beginning of a line between two
 * statements, as in client/mysql.cc.
 */

/** The client cuts off what is longer. */
export const longestDelimiter = 15;

/** Whether each takes an argument; with one, a command that takes none is no command. */
const commands: Readonly<Record<string, boolean>> = {
  '?': true,
  charset: true,
  clear: false,
  connect: true,
  costs: false,
  delimiter: true,
  edit: false,
  ego: false,
  exit: false,
  go: false,
  help: true,
  nopager: false,
  notee: false,
  nowarning: false,
  pager: true,
  print: false,
  prompt: true,
  query_attributes: true,
  quit: false,
  rehash: false,
  resetconnection: false,
  sandbox: false,
  source: true,
  ssl_session_data_print: true,
  status: false,
  system: true,
  tee: true,
  use: true,
  warnings: false,
};

/**
 * The name of the command that this line is to the client, in lower case; undefined: the line is SQL. A line that holds the
 * delimiter is no command yet: the client looks again at what stands before it, then without a delimiter.
 */
export function clientCommand(line: string, delimiter: string | undefined): string | undefined {
  const blank = line.search(/[ \t]/);
  const name = (blank === -1 ? line : line.slice(0, blank)).toLowerCase();
  const takesArgument = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (takesArgument === undefined || (blank !== -1 && !takesArgument)) return undefined;
  if (name !== 'delimiter' && delimiter !== undefined && (line.includes('\\g') || line.includes(delimiter)))
    return undefined;
  return name;
}

/** What follows the first `nameLength` characters: up to a blank, or what stands between quotes. */
export function delimiterArgument(line: string, nameLength: number): string {
  const rest = line.slice(nameLength).trimStart();
  const quote = /^['"`]/.exec(rest)?.[0];
  if (quote === undefined) return /^[^ ]*/.exec(rest)?.[0].trimEnd() ?? '';
  const close = rest.indexOf(quote, 1);
  return rest.slice(1, close === -1 ? undefined : close);
}

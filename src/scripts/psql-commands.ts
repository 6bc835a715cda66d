import type { MetaCommand } from '../adapter/database.js';

/** What flyback does with a psql command: its own thing instead, or a refusal with the remedy. */
export type PsqlVerdict =
  | { readonly understood: true; readonly instead: string }
  | { readonly understood: false; readonly reason: string; readonly remedy: string };

const output = understood('flyback does not print it: the command only talks to whoever sits at psql.');

/** Settings of psql that flyback honours by what it does anyway. */
const variables: Readonly<Record<string, string>> = {
  ON_ERROR_STOP: 'flyback always stops at the first error and rolls everything back.',
  ON_ERROR_ROLLBACK: 'flyback never carries on behind an error: it rolls everything back.',
  ECHO: 'flyback reports each statement itself.',
  ECHO_HIDDEN: 'flyback reports each statement itself.',
  QUIET: 'flyback reports each statement itself.',
  VERBOSITY: 'flyback shows what the server says of an error in full.',
  SHOW_CONTEXT: 'flyback shows what the server says of an error in full.',
  SINGLELINE: 'flyback ends statements at semicolons only.',
};

const commands: Readonly<Record<string, PsqlVerdict>> = {
  echo: output,
  qecho: output,
  warn: output,
  timing: understood('flyback times each statement itself.'),
  pset: output,
  x: output,
  a: output,
  t: output,
  f: output,
  H: output,
  C: output,
  T: output,
  conninfo: output,
  z: output,
  errverbose: output,
  restrict: understood('flyback reads no psql commands from data.'),
  unrestrict: understood('flyback reads no psql commands from data.'),
  i: refused('runs another file', 'Copy its statements into this script.'),
  ir: refused('runs another file', 'Copy its statements into this script.'),
  include: refused('runs another file', 'Copy its statements into this script.'),
  include_relative: refused('runs another file', 'Copy its statements into this script.'),
  copy: refused("reads or writes a file on the client's machine", 'Use COPY … FROM STDIN with the rows in the script.'),
  c: refused('changes the connection', 'Remove it: flyback connects to the database of the configuration.'),
  connect: refused('changes the connection', 'Remove it: flyback connects to the database of the configuration.'),
  if: refused('makes the script conditional', 'Use a DO block with IF.'),
  elif: refused('makes the script conditional', 'Use a DO block with IF.'),
  else: refused('makes the script conditional', 'Use a DO block with IF.'),
  endif: refused('makes the script conditional', 'Use a DO block with IF.'),
  g: refused('runs the statement and redirects its output', 'End the statement with a semicolon.'),
  gx: refused('runs the statement and redirects its output', 'End the statement with a semicolon.'),
  gexec: refused('runs the rows of a query as SQL that nobody has reviewed', 'Use a DO block with EXECUTE.'),
  gset: refused('keeps a result in psql variables', 'Use a DO block with variables, or a subquery.'),
  watch: refused('repeats the statement', 'End the statement with a semicolon.'),
  '!': refused('runs a shell command', 'Run it apart from the rollback.'),
};

function understood(instead: string): PsqlVerdict {
  return { understood: true, instead };
}

function refused(reason: string, remedy: string): PsqlVerdict {
  return { understood: false, reason, remedy };
}

/** Judges one psql command or variable. `followed` says whether a statement stands behind it: \q hides those. */
export function judgePsql(command: MetaCommand, followed: boolean): PsqlVerdict {
  const { text } = command;
  if (text.startsWith(':')) {
    return refused(
      'is a psql variable, which the server does not know',
      `Write the value, or use a placeholder: \${name}.`,
    );
  }
  const name = /^\\(!|[A-Za-z_]+\+?)/.exec(text)?.[1] ?? '';
  const known = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (known !== undefined && !known.understood) return known;
  if (command.inside) return refused('stands in the middle of a statement', 'Move it to a line of its own.');
  if (known !== undefined) return known;
  if (name === 'q' || name === 'quit') {
    return followed
      ? refused('ends the script, and statements follow', 'Remove it, or remove what follows.')
      : understood('The script ends here.');
  }
  if (name === 'set') {
    const [variable = '', value = ''] = text.slice(4).trim().split(/\s+/);
    const instead = Object.hasOwn(variables, variable) ? variables[variable] : undefined;
    if (instead !== undefined) return understood(instead);
    if (variable === 'AUTOCOMMIT') {
      return /^(?:on|true|1)$/i.test(value)
        ? understood('flyback runs the script in one transaction.')
        : refused('opens transactions unseen', 'Remove it: flyback runs the script in one transaction.');
    }
    return refused('sets a psql variable', 'Write the value where it is used, or use a placeholder: ${name}.');
  }
  if (name === 'encoding') {
    return /^\\encoding\s+'?utf-?8'?$/i.test(text)
      ? understood('flyback reads scripts as UTF-8.')
      : refused('changes the encoding', 'Save the script as UTF-8 and remove the command.');
  }
  if (/^[dl][A-Za-z]*\+?$/.test(name)) return output;
  return refused('is not a psql command that flyback knows', 'Remove it, or write it as SQL.');
}

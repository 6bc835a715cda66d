import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { isAlive, startLockArena, until, type LockArena } from '../harness/lock-arena.js';
import { newestServer } from '../harness/postgres.js';
import { finished, recordEntries, storedVersions, type CommandResult } from '../harness/project.js';

const cli = fileURLToPath(new URL('../../dist/cli.js', import.meta.url));
const version = {
  version: '1',
  up: 'CREATE TABLE orders (id int PRIMARY KEY)',
  down: 'DROP TABLE orders;',
};
const impatient = ['--lock-timeout', '2500ms', '--lock-retries', '0'];

describe('the command among others', () => {
  let arena: LockArena;

  beforeAll(async () => {
    arena = await startLockArena(newestServer().major);
  });
  afterAll(() => arena.stop());
  afterEach(() => arena.dismiss());

  /** The command on a terminal, which answers its question; `script` lends one. */
  async function onTerminal(commandLine: readonly string[], answer: string): Promise<CommandResult> {
    const words = [process.execPath, cli, '--project', arena.project.folder, ...commandLine];
    const line = words.map((word) => `'${word}'`).join(' ');
    const child = spawn(
      'script',
      process.platform === 'darwin' ? ['-q', '/dev/null', ...words] : ['-qec', line, '/dev/null'],
      {
        stdio: ['pipe', 'pipe', 'pipe'],
        env: { PATH: process.env['PATH'], HOME: arena.project.folder, TERM: 'dumb', NO_COLOR: '1' },
      },
    );
    let seen = '';
    child.stdout.on('data', (chunk: Buffer) => {
      if (!seen.includes('to go on:') && (seen += chunk.toString()).includes('to go on:'))
        child.stdin.write(`${answer}\n`);
    });
    return finished(child);
  }

  it('says while it waits for what, how long, and because of whom', async () => {
    await arena.start(version);
    const reader = await arena.other('SELECT id FROM orders', { application: 'reporting' });
    await arena.grown();
    const { code, stderr } = await arena.project.run(['rollback', '--yes', ...impatient]);
    expect(code).toBe(3);
    expect(stderr).toMatch(
      /^warning lock-held: 1, line 1: Process \d+ \(reporting, .*\) holds ACCESS SHARE on public\.orders, .*SELECT id FROM orders/m,
    );
    expect(stderr).toMatch(
      /^ {6}waiting [12] s for ACCESS EXCLUSIVE on public\.orders, held by process \d+ \(reporting, .*idle in transaction for \d+ s\): SELECT id FROM orders$/m,
    );
    expect(await isAlive(reader)).toBe(true);
  });

  it('--cancel-blockers shows them, ends them, and tells so in the result and in the record', async () => {
    await arena.start(version);
    const reader = await arena.other('SELECT id FROM orders', { application: 'reporting' });
    await arena.grown();
    const { code, stdout, stderr } = await arena.project.run([
      'rollback',
      '--yes',
      '--json',
      '--cancel-blockers',
      ...impatient,
    ]);
    expect(code).toBe(0);
    expect(stderr).toMatch(
      /^In the way now\n {2}terminate {2}process \d+ \(reporting, .*\): SELECT id FROM orders\n +holds ACCESS SHARE on public\.orders$/m,
    );
    expect(stderr).toMatch(/^ {6}terminated process \d+ \(reporting, /m);
    const { warnings } = JSON.parse(stdout) as { warnings: readonly string[] };
    expect(warnings).toEqual([
      expect.stringMatching(/^Process \d+ \(reporting, .*\) was terminated: it holds ACCESS SHARE/),
    ]);
    expect((await recordEntries(arena.database))[0]?.['endedSessions']).toEqual(warnings);
    expect(await isAlive(reader)).toBe(false);
  });

  it('--cancel-blockers needs a yes, and is nothing for a dry run', async () => {
    await arena.start(version);
    const reader = await arena.other('SELECT id FROM orders');
    await arena.grown();
    const unasked = await arena.project.run(['rollback', '--cancel-blockers', ...impatient]);
    expect(unasked.code).toBe(2);
    expect(unasked.stderr).toContain('confirmation-missing');
    const dry = await arena.project.run(['rollback', '--cancel-blockers', '--dry-run', ...impatient]);
    expect(dry.code).toBe(2);
    expect(dry.stderr).toContain('--dry-run');
    expect(await isAlive(reader)).toBe(true);
    expect(await storedVersions(arena.database)).toEqual(['1']);
  });

  it('on a terminal it asks for the name of the database before it ends anybody', async () => {
    await arena.start(version);
    const reader = await arena.other('SELECT id FROM orders', { application: 'reporting' });
    await arena.grown();
    const command = ['rollback', '--cancel-blockers', ...impatient];
    const habit = await onTerminal(command, 'y');
    expect(habit.code).toBe(2);
    expect(habit.stdout).toMatch(/terminate {2}process \d+ \(reporting, /);
    expect(habit.stdout).toContain('Take back 1 version and end 1 session of others?');
    expect(await isAlive(reader)).toBe(true);
    const meant = await onTerminal(command, arena.database.name);
    expect(meant.code).toBe(0);
    expect(await isAlive(reader)).toBe(false);
    await until(
      () => storedVersions(arena.database),
      (versions) => versions.length === 0,
    );
  });
});

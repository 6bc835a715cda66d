#!/usr/bin/env node
import { fileURLToPath } from 'node:url';
import packageJson from '../../package.json' with { type: 'json' };

// Everything else is loaded when it is needed: asking for the version must cost no more than starting Node.
const commandLine = process.argv.slice(2);
const [first = '', ...others] = commandLine;
if ((first === '--version' || first === '-V') && others.length === 0) {
  process.stdout.write(`${packageJson.version}\n`);
} else {
  // The reader of a pipe, or the terminal, may be gone: that must not end a run half-way.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined);
  const hangUp = new AbortController();
  process.on('SIGHUP', () => {
    hangUp.abort();
  });
  const { startProgram } = await import('./start-program.js');
  process.exitCode = await startProgram(fileURLToPath(new URL('./cli/', import.meta.url)), commandLine);
  // Node restores the terminal when it ends, and aborts when that is gone (seen with Node 20): leave by the signal instead.
  if (hangUp.signal.aborted && [process.stdin, process.stdout, process.stderr].some((stream) => stream.isTTY)) {
    process.removeAllListeners('SIGHUP');
    process.kill(process.pid, 'SIGHUP');
  }
}

#!/usr/bin/env node
import packageJson from '../../package.json' with { type: 'json' };

// Everything else is loaded when it is needed: asking for the version must cost no more than starting Node.
const [first, ...others] = process.argv.slice(2);
if ((first === '--version' || first === '-V') && others.length === 0) {
  process.stdout.write(`${packageJson.version}\n`);
} else {
  const { startLean } = await import('./lean-start.js');
  startLean();
  const { runProgram } = await import('./program.js');
  process.exitCode = await runProgram(process.argv.slice(2));
}

import process from 'node:process';
import { pathToFileURL } from 'node:url';

/*
 * Runs the built command of flyback (its path is the only argument) again and again in a process that has started already,
 * as its parent asks: { folder, commandLine }. It answers with { stderr } and { stdout } as they are written, then { code }.
 * What is run is the command's own file; the modules behind it are loaded once.
 */

const command = pathToFileURL(process.argv[2] ?? '').href;
const signals = /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP']);
let runs = 0;

for (const name of /** @type {const} */ (['stdout', 'stderr'])) {
  process[name].setMaxListeners(0);
  process[name].write = (text) => process.send?.({ [name]: String(text) }) ?? true;
}
process.on('disconnect', () => process.exit());
process.on('message', (/** @type {{ folder: string, commandLine: string[] }} */ { folder, commandLine }) => {
  void run(folder, commandLine);
});

/**
 * @param {string} folder
 * @param {readonly string[]} commandLine
 */
async function run(folder, commandLine) {
  process.chdir(folder);
  process.env['HOME'] = folder;
  process.argv.splice(2, process.argv.length, ...commandLine);
  process.exitCode = undefined;
  runs += 1;
  // Under another address the file runs once more.
  await import(`${command}?run=${runs}`);
  const code = process.exitCode ?? 0;
  process.exitCode = undefined;
  for (const signal of signals) process.removeAllListeners(signal);
  process.send?.({ code });
}

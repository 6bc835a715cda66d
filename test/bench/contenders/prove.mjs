/* Proves the project in a folder on the server of a URL, and tells how long that took. */
import { performance } from 'node:perf_hooks';
import { loadProjectConfig, openScratchPlace, proveProject, readFilesOnly } from '../../../dist/index.js';

const [folder, scratch] = process.argv.slice(2);
const open = { folder, flags: { scratch }, environment: {} };
const project = await readFilesOnly(open);
const place = await openScratchPlace((await loadProjectConfig(open)).prove.scratch);
const times = [];
const started = performance.now();
const proofs = await proveProject(project, place, { onProof: () => times.push(performance.now()) });
const total = performance.now() - started;
await place.close();
const wrong = proofs.filter(({ grade }) => grade !== 'exact');
if (wrong.length > 0) throw new Error(`${wrong.length} versions are not exact: ${wrong[0].reason}`);
const tenth = Math.max(1, Math.floor(times.length / 10));
const span = (from, to) => times[to] - times[from];
console.log(
  JSON.stringify({
    total,
    // The very first versions are left out: the process and the server warm up.
    first: span(tenth, 2 * tenth),
    last: span(times.length - 1 - tenth, times.length - 1),
    firstProof: times[0],
    memory: process.resourceUsage().maxRSS / 1024,
  }),
);

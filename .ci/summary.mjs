// Prints the closing line of .ci/run from vitest's JSON report. Arguments: the report, the number of failed steps.
import { readFileSync } from 'node:fs';

const [file, steps] = process.argv.slice(2);
let report;
try {
  report = JSON.parse(readFileSync(file, 'utf8'));
} catch {
  report = { numPassedTests: 0, numFailedTests: 0, numPendingTests: 0, numTodoTests: 0, testResults: [] };
}
// A file that could not be loaded has no failed test of its own.
const brokenFiles = report.testResults.filter(
  ({ status, assertionResults }) => status === 'failed' && !assertionResults.some((test) => test.status === 'failed'),
).length;
const failedTests = report.numFailedTests + brokenFiles;
// When tests failed, the test step failed because of them: count it once.
const failed = failedTests + Math.max(0, Number(steps) - (failedTests > 0 ? 1 : 0));
const skipped = report.numPendingTests + report.numTodoTests;
console.log(`${report.numPassedTests} passed, ${failed} failed, ${skipped} skipped`);
process.exitCode = failed === 0 && skipped === 0 && report.numPassedTests > 0 ? 0 : 1;

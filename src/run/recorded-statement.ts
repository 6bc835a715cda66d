import type { RecordedStatement } from '../record/record-entry.js';
import type { RunRequest } from './run-request.js';

/** Statements longer than this are cut in the record; the script's checksum pins the whole text. */
const recordedLength = 1000;

/** A statement as it is kept: without secrets, not too long. */
export function recordedStatement(
  request: Pick<RunRequest, 'redact'>,
  line: number,
  text: string,
  rows: number | null | undefined,
  durationMs: number,
): RecordedStatement {
  const sql = request.redact(text);
  return {
    line,
    sql: sql.length > recordedLength ? `${sql.slice(0, recordedLength)}…` : sql,
    rows: rows ?? null,
    durationMs: roundMs(durationMs),
  };
}

/** Milliseconds to three places. */
export function roundMs(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}

import { connect, loadProjectConfig, toolboxFor, withoutSecrets } from '../../compose/open-project.js';
import { exitCodes, FlybackError } from '../../errors/error.js';
import type { Finding } from '../../errors/finding.js';
import type { QualifiedName } from '../../history/history.js';
import { checkChain } from '../../record/check-chain.js';
import { isNewer, parseEntry, readRecord } from '../../record/record-store.js';
import { out, outJson, progress, type CommandContext } from '../command.js';
import { findingText } from '../output/error-text.js';
import { count, printDuration } from '../output/numbers.js';
import { printTable } from '../output/table.js';

/** flyback log: the record, and with --verify whether it is whole. */
export async function runLog(
  context: CommandContext,
  flags: { readonly verify?: true; readonly expect?: string; readonly limit?: string },
): Promise<number> {
  const limit = readLimit(flags.limit ?? '20');
  const config = await loadProjectConfig(context.open);
  return withoutSecrets(config, async () => {
    const toolbox = toolboxFor(config);
    const session = await connect(config);
    try {
      const history = toolbox.history.tableName(config.tool, session.facts.currentSchema);
      const table = { schema: config.record.schema ?? history.schema, name: config.record.table };
      if (flags.verify === true) {
        const found = await readRecord(session, toolbox.database, table);
        const rows = found ?? [];
        const findings = found === undefined ? [recordMissing(table)] : checkChain(rows, flags.expect);
        if (context.json)
          outJson({ whole: findings.length === 0, entries: rows.length, head: rows.at(-1)?.hash ?? null, findings });
        else {
          for (const finding of findings) out(findingText(finding, process.stdout));
          out(
            findings.length === 0
              ? `whole: ${count(rows.length, 'entry').replace('entrys', 'entries')}, newest hash ${rows.at(-1)?.hash ?? 'none'}`
              : found === undefined
                ? 'NOT VERIFIED: there is no record'
                : 'BROKEN: the record was tampered with',
          );
        }
        return findings.length === 0 ? exitCodes.done : exitCodes.findings;
      }
      const found = await readRecord(session, toolbox.database, table, limit === 0 ? undefined : limit);
      const rows = found ?? [];
      if (context.json) {
        outJson(
          rows.map((row) => ({
            id: row.id,
            hash: row.hash,
            previousHash: row.previousHash,
            entry: parseEntry(row) ?? (isNewer(row) ? (JSON.parse(row.entry) as unknown) : row.entry),
          })),
        );
        return exitCodes.done;
      }
      if (rows.length === 0) {
        progress(
          found === undefined ? recordMissing(table).message : `The record ${table.schema}.${table.name} is empty.`,
        );
        return exitCodes.done;
      }
      out(
        await printTable(
          ['id', 'finished', 'outcome', 'version', 'who', 'reason', 'took', 'verified', 'hash'],
          rows.map((row) => {
            const entry = parseEntry(row);
            if (entry === undefined) {
              const why = isNewer(row) ? 'newer' : 'unreadable';
              return [String(row.id), '', why, '', '', '', '', '', row.hash.slice(0, 12)];
            }
            const checks = entry.verifications;
            return [
              String(row.id),
              entry.finishedAt,
              entry.resumes === undefined || entry.outcome === 'abandoned'
                ? entry.outcome
                : `${entry.outcome} (resumed)`,
              entry.version,
              `${entry.who.systemUser}@${entry.who.host} as ${entry.who.databaseUser}`,
              entry.reason ?? '',
              printDuration(Date.parse(entry.finishedAt) - Date.parse(entry.startedAt)),
              checks.length === 0 ? '' : `${checks.filter((check) => check.passed).length}/${checks.length}`,
              row.hash.slice(0, 12),
            ];
          }),
        ),
      );
      for (const row of rows) {
        const error = parseEntry(row)?.error;
        if (error !== null && error !== undefined) out(`${row.id}  ${error.code}: ${error.message}`);
      }
      if (rows.some(isNewer)) {
        progress(
          'Entries called newer were written by a newer flyback: this one can check their chain, not read them.',
        );
      }
      return exitCodes.done;
    } finally {
      await session.close();
    }
  });
}

function readLimit(text: string): number {
  if (!/^\d{1,9}$/.test(text))
    throw new FlybackError('usage-invalid', `--limit ${text} is not a whole number.`, {
      hint: 'Use --limit 0 for all entries.',
    });
  return Number(text);
}

/** No table is not the same as an empty one: an auditor must hear of it. */
function recordMissing(table: QualifiedName): Finding {
  return {
    code: 'record-missing',
    severity: 'error',
    subject: `${table.schema}.${table.name}`,
    message: `There is no record table ${table.schema}.${table.name}: flyback has run nothing here yet, or the table was removed.`,
    hint: 'If rollbacks were run here before, look for the table in a backup; record.schema and record.table name it.',
  };
}

import { describe, expect, it } from 'vitest';
import type { HistoryEntry } from '../../../src/history/history.js';
import { pairVersions, type Pairing, type PairingInput } from '../../../src/pairing/pair-versions.js';
import type { Finding } from '../../../src/errors/finding.js';
import { interpret } from '../../../adapters/histories/flyway/interpret.js';
import { flywayVersions } from '../../../adapters/histories/flyway/versions.js';
import { historyEntry, migrationFile, rollbackScript } from '../../harness/history-values.js';

function pair(rows: readonly HistoryEntry[] | undefined, input: Partial<PairingInput> = {}): Pairing {
  return pairVersions({
    history: rows === undefined ? undefined : interpret({ schema: 'public', name: 'h' }, rows),
    migrations: [],
    scripts: [],
    scriptFindings: [],
    rollbacksFolder: '/project/rollbacks',
    scannedFolders: ['/project/sql'],
    versions: flywayVersions,
    ...input,
  });
}
const overview = ({ pairs }: Pairing): readonly string[] =>
  pairs.map(({ version, state, findings }) => [version.text, state, ...findings.map(({ code }) => code)].join(' '));

describe('pairing versions', () => {
  it('puts rows, migrations and scripts of equal versions together, however each writes them', () => {
    const script = rollbackScript('001.0');
    const { pairs, findings } = pair([historyEntry(1, '01')], { migrations: [migrationFile('1')], scripts: [script] });
    expect(pairs).toHaveLength(1);
    expect(pairs[0]).toMatchObject({ version: { text: '01', key: '1' }, state: 'applied', script, findings: [] });
    expect(pairs[0]?.row?.entry.rank).toBe(1);
    expect(pairs[0]?.migration?.script).toBe('V1__step.sql');
    expect(findings).toEqual([]);
  });

  it('sorts by version and tells every state', () => {
    const rows = [
      historyEntry(1, '2', { type: 'BASELINE' }),
      historyEntry(2, '10'),
      historyEntry(3, '9', { success: false }),
    ];
    const result = pair(rows, {
      migrations: ['1', '2', '9', '10', '11'].map((version) => migrationFile(version)),
      scripts: ['9', '10', '11', '12'].map((version) => rollbackScript(version)),
    });
    expect(overview(result)).toEqual([
      '1 baseline',
      '2 baseline',
      '9 failed',
      '10 applied',
      '11 pending',
      '12 orphan rollback-orphan',
    ]);
  });

  it('takes every migration for pending where no database was asked', () => {
    expect(overview(pair(undefined, { migrations: [migrationFile('1')], scripts: [rollbackScript('1')] }))).toEqual([
      '1 pending',
    ]);
  });

  it('takes deleted and undone versions for pending while their file is there', () => {
    const rows = [
      historyEntry(1, '1'),
      historyEntry(2, '1', { type: 'DELETE' }),
      historyEntry(3, '2'),
      historyEntry(4, '2', { type: 'UNDO_SQL' }),
    ];
    const scripts = [rollbackScript('1'), rollbackScript('2')];
    expect(overview(pair(rows, { migrations: [migrationFile('2')], scripts }))).toEqual([
      '1 orphan rollback-orphan',
      '2 pending',
    ]);
  });

  it('misses the rollback of applied, failed and pending versions, not below the baseline', () => {
    const rows = [
      historyEntry(1, '1', { type: 'BASELINE' }),
      historyEntry(2, '2'),
      historyEntry(3, '3', { success: false }),
    ];
    const result = pair(rows, { migrations: [migrationFile('1'), migrationFile('4')] });
    expect(overview(result)).toEqual([
      '1 baseline',
      '2 applied rollback-missing',
      '3 failed rollback-missing',
      '4 pending rollback-missing',
    ]);
    expect(result.pairs[1]?.findings[0]).toMatchObject({ severity: 'error', hint: 'Run flyback stub 2 to start one.' });
  });

  it('pairs no repeatable, baseline or undo migration', () => {
    const migrations = [
      migrationFile(null),
      migrationFile('1', { kind: 'baseline' }),
      migrationFile('2', { kind: 'undo' }),
    ];
    expect(overview(pair([historyEntry(1, null)], { migrations }))).toEqual([]);
  });

  it('takes none of two rollback scripts, and does not call it missing', () => {
    const scripts = [rollbackScript('1'), rollbackScript('1.0', { file: '/project/rollbacks/R1.0__b.sql' })];
    const result = pair([historyEntry(1, '1')], { scripts });
    expect(overview(result)).toEqual(['1 applied rollback-duplicate']);
    expect(result.pairs[0]?.script).toBeUndefined();
    expect(result.pairs[0]?.findings[0]?.message).toContain('R1__step.sql and R1.0__b.sql');
  });

  it('prefers a rollback script to an undo file, and takes the undo file when there is no other', () => {
    const undo = rollbackScript('1', { source: 'undo', file: '/project/sql/U1__x.sql' });
    const both = pair([historyEntry(1, '1')], { scripts: [undo, rollbackScript('1')] });
    expect(both.pairs[0]?.script?.source).toBe('rollback');
    expect(overview(both)).toEqual(['1 applied']);
    expect(pair([historyEntry(1, '1')], { scripts: [undo] }).pairs[0]?.script?.source).toBe('undo');
  });

  it("hands on the script's own findings and those about the migration, and keeps apart what belongs to no version", () => {
    const finding = (code: string): Finding => ({ code, severity: 'error', subject: 's', message: 'm' });
    const result = pair([historyEntry(1, '1'), historyEntry(2, '2', { type: 'X' })], {
      scripts: [rollbackScript('1', { findings: [finding('script-empty')] })],
      scriptFindings: [finding('script-misnamed')],
      migrationFindings: [
        { version: flywayVersions.parse('1'), finding: finding('migration-edited') },
        { version: undefined, finding: finding('migration-missing') },
      ],
    });
    expect(overview(result)).toEqual(['1 applied migration-edited script-empty']);
    expect(result.findings.map(({ code }) => code)).toEqual([
      'history-type-unknown',
      'script-misnamed',
      'migration-missing',
    ]);
  });
});

it('does not tell twice what a script and its folder both report', () => {
  const duplicate: Finding = { code: 'script-duplicate', severity: 'error', subject: 'R1__b.sql', message: 'm' };
  const result = pair([historyEntry(1, '1')], {
    scripts: [rollbackScript('1', { findings: [duplicate] })],
    scriptFindings: [duplicate],
  });
  expect(overview(result)).toEqual(['1 applied script-duplicate']);
  expect(result.findings).toEqual([]);
});

describe('a stale rollback', () => {
  const against = (migrationChecksum: number): Parameters<typeof rollbackScript>[1] => ({
    directives: { allowLoss: [], leaves: [], stub: false, migrationChecksum },
  });

  it.each<{ title: string; stored: number | null; file?: number; directive?: number; isStale: boolean }>([
    { title: 'names the checksum of the file', stored: 100, file: 100, directive: 100, isStale: false },
    { title: 'names another checksum', stored: 100, file: 100, directive: 99, isStale: true },
    { title: 'was checked again after the edit', stored: 100, file: 99, directive: 99, isStale: false },
    { title: 'says nothing, nothing was edited', stored: 100, file: 100, isStale: false },
    { title: 'says nothing, the migration was edited', stored: 100, file: 99, isStale: true },
    { title: 'says nothing, 0 and NULL', stored: null, file: 0, isStale: false },
    { title: 'names the checksum of the row, the file is gone', stored: 100, directive: 100, isStale: false },
    { title: 'names another than the row, the file is gone', stored: 100, directive: 99, isStale: true },
  ])('is told by checksums: $title', ({ stored, file, directive, isStale }) => {
    const result = pair([historyEntry(1, '1', { checksum: stored })], {
      migrations: file === undefined ? [] : [migrationFile('1', { checksum: file })],
      scripts: [rollbackScript('1', directive === undefined ? {} : against(directive))],
    });
    expect(overview(result)).toEqual([isStale ? '1 applied rollback-stale' : '1 applied']);
  });

  it('is told for pending migrations too', () => {
    const input = { migrations: [migrationFile('1')], scripts: [rollbackScript('1', against(5))] };
    expect(overview(pair([], input))).toEqual(['1 pending rollback-stale']);
  });
});

describe('the rollbacks folder', () => {
  it.each([
    ['/project/rollbacks', ['/project/sql'], false],
    ['/project/sql/rollbacks', ['/project/sql'], true],
    ['/project/sql', ['/project/sql'], true],
    ['/project/sql-rollbacks', ['/project/sql'], false],
    ['/project/rollbacks', ['/project/sql', '/project'], true],
    ['/project', ['/project/sql'], false],
    ['/project/..rollbacks', ['/project'], true],
  ])('%s with the locations %j: scanned is %s', (rollbacksFolder, scannedFolders, isScanned) => {
    const codes = pair([], { rollbacksFolder, scannedFolders }).findings.map(({ code }) => code);
    expect(codes).toEqual(isScanned ? ['rollbacks-folder-scanned'] : []);
  });
});

import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { MigrationSet } from '../../../../../src/adapter/history.js';
import type { FlywaySettings } from '../../../../../adapters/histories/flyway/settings.js';
import { loadMigrations } from '../../../../../adapters/histories/flyway/migrations.js';
import { flywaySettings } from '../../../../harness/history-values.js';

let project: string;
beforeEach(() => {
  project = mkdtempSync(path.join(os.tmpdir(), 'flyback-migrations-'));
});
afterEach(() => {
  rmSync(project, { recursive: true });
});

function write(files: Readonly<Record<string, string | Buffer>>): void {
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(path.dirname(path.join(project, name)), { recursive: true });
    writeFileSync(path.join(project, name), content);
  }
}

async function load(changes: Partial<FlywaySettings> = {}): Promise<MigrationSet> {
  return loadMigrations(flywaySettings({ workingDirectory: project, ...changes }));
}
const scripts = ({ migrations }: MigrationSet): readonly string[] => migrations.map(({ script }) => script);
const codes = ({ findings }: MigrationSet): readonly string[] =>
  findings.map(({ code, severity }) => `${code} ${severity}`);
const folders = ({ scannedFolders }: MigrationSet): readonly string[] =>
  scannedFolders.map((folder) => path.relative(project, folder));

describe('loading migrations', () => {
  it('finds every kind, recursively, in version order, with paths relative to the location', async () => {
    write({
      'sql/V10__c.sql': 'SELECT 10;',
      'sql/sub/deep/V9__b.sql': 'SELECT 9;',
      'sql/B9__base.sql': 'SELECT 9;',
      'sql/U9__b.sql': 'SELECT 9;',
      'sql/R__z.sql': 'SELECT 1;',
      'sql/R__a.sh': 'true',
      'sql/.git/V1__hidden.sql': 'SELECT 1;',
      'sql/beforeMigrate.sql': 'SELECT 1;',
      'sql/readme.md': '',
    });
    const set = await load();
    expect(set.migrations.map(({ kind, script, isSql }) => [kind, script, isSql])).toEqual([
      ['versioned', 'sub/deep/V9__b.sql', true],
      ['baseline', 'B9__base.sql', true],
      ['undo', 'U9__b.sql', true],
      ['versioned', 'V10__c.sql', true],
      ['repeatable', 'R__a.sh', false],
      ['repeatable', 'R__z.sql', true],
    ]);
    expect(set.findings).toEqual([]);
    expect(folders(set)).toEqual(['sql']);
    expect(set.migrations[0]).toMatchObject({ file: path.join(project, 'sql/sub/deep/V9__b.sql'), sql: 'SELECT 9;' });
  });

  it('maps class path locations, with or without a prefix, to src/main/resources alone', async () => {
    write({
      'src/main/resources/db/migration/V1__a.sql': '',
      'src/test/resources/db/migration/V2__b.sql': '',
      'target/classes/db/migration/V1__a.sql': '',
      'build/resources/main/db/migration/V1__a.sql': '',
    });
    for (const location of ['classpath:db/migration', 'db/migration', 'classpath:/db/migration']) {
      const set = await load({ locations: [location] });
      expect(scripts(set)).toEqual(['V1__a.sql']);
      expect(set.findings).toEqual([]);
    }
  });

  it.each([
    ['filesystem:m/n*', ['sub/V1__a.sql', 'V2__b.sql'], ['m/n1', 'm/n2']],
    ['filesystem:m/n?/sub', ['V1__a.sql'], ['m/n1/sub']],
    ['filesystem:m/**/sub', ['V1__a.sql'], ['m/n1/sub']],
    ['filesystem:m/**/V*.sql', ['n1/sub/V1__a.sql', 'n2/V2__b.sql'], ['m/n1/sub', 'm/n2']],
    ['filesystem:m/*.sql', [], []],
    ['filesystem:m/x*', [], []],
  ])('expands the wildcards of %s as Flyway does', async (location, expected, expectedFolders) => {
    write({ 'm/n1/sub/V1__a.sql': '', 'm/n2/V2__b.sql': '', 'm/rollbacks/R1__a.sql': '' });
    const set = await load({ locations: [location] });
    expect(scripts(set)).toEqual(expected);
    for (const folder of expectedFolders) expect(folders(set)).toContain(folder);
    expect(folders(set)).not.toContain('m/rollbacks');
  });

  it('drops a location inside another one', async () => {
    write({ 'sql/sub/V1__a.sql': '' });
    const set = await load({ locations: ['filesystem:sql/sub', 'filesystem:sql', 'filesystem:./sql'] });
    expect(scripts(set)).toEqual(['sub/V1__a.sql']);
    expect(codes(set)).toEqual([]);
  });

  it('warns of a location that is not there, and refuses one that it cannot read', async () => {
    write({ file: '' });
    const set = await load({ locations: ['filesystem:nope', 'filesystem:file', 's3:bucket/x', 'gcs:bucket'] });
    expect([...codes(set)].sort()).toEqual([
      'location-missing warning',
      'location-missing warning',
      'location-unsupported error',
      'location-unsupported error',
    ]);
    expect(set.scannedFolders).toEqual([]);
  });

  it('follows links, and does not follow them in circles', async () => {
    write({ 'real/V1__a.sql': '', 'sql/V2__b.sql': '' });
    symlinkSync(path.join(project, 'real'), path.join(project, 'sql/linked'));
    symlinkSync(path.join(project, 'sql'), path.join(project, 'sql/circle'));
    symlinkSync(path.join(project, 'nowhere'), path.join(project, 'sql/V3__dangling.sql'));
    expect(scripts(await load())).toEqual(['linked/V1__a.sql', 'V2__b.sql']);
  });

  it.each([
    [{ 'sql/V1.1__a.sql': 'a', 'sql/V01_01__b.sql': 'b' }],
    [{ 'sql/V1.1__a.sql': 'a', 'sql/x/V1_1_0__a.sql': 'a' }],
    [{ 'sql/V1__a.sql': 'a', 'sql/V1__a.verify.sql': 'b' }],
    [{ 'sql/R__a.sql': 'a', 'sql/x/R__a.sql': 'a' }],
  ])('reports two migrations that are one to Flyway: %j', async (files) => {
    write(files);
    expect(codes(await load())).toEqual(['migration-duplicate error']);
  });

  it('counts a copy in a second location once when nothing tells the two apart', async () => {
    write({ 'a/V1__x.sql': 'SELECT 1;', 'b/V1__x.sql': 'SELECT 1;' });
    const locations = ['filesystem:a', 'filesystem:b'];
    expect(codes(await load({ locations }))).toEqual([]);
    write({ 'b/V1__x.sql': 'SELECT 2;' });
    expect(codes(await load({ locations }))).toEqual(['migration-duplicate error']);
  });

  it('does not take a baseline migration or an undo file for a duplicate', async () => {
    write({ 'sql/V1__a.sql': '', 'sql/B1__a.sql': '', 'sql/U1__a.sql': '' });
    expect(codes(await load())).toEqual([]);
  });

  it('warns of rollback scripts and misnamed files in a location, which fail a run that checks names', async () => {
    write({ 'sql/R1__a.sql': '', 'sql/V1a__x.sql': '' });
    expect(codes(await load())).toEqual(['rollback-in-location warning', 'migration-misnamed warning']);
    expect(codes(await load({ validateMigrationNaming: true }))).toEqual([
      'rollback-in-location error',
      'migration-misnamed error',
    ]);
  });

  it('reports bytes that are no text, and reads them with the encoding of a .conf file', async () => {
    write({ 'sql/V1__a.sql': Buffer.from('-- Ü', 'latin1') });
    const wrong = await load();
    expect(codes(wrong)).toEqual(['migration-encoding error']);
    expect(wrong.migrations[0]).toMatchObject({ checksum: null, sql: '' });
    write({ 'sql/V1__a.sql.conf': '# for the old editor\nencoding = ISO-8859-1\nexecuteInTransaction=false\n' });
    const right = await load();
    expect(right.migrations[0]).toMatchObject({ sql: '-- Ü', executeInTransaction: false });
    expect(codes(right)).toEqual([]);
    expect(scripts(right)).toEqual(['V1__a.sql']);
  });

  it('reports what Flyway refuses in a .conf file', async () => {
    write({
      'sql/V1__a.sql': '',
      'sql/V1__a.sql.conf': 'executeInTransaction=maybe\nencodign=UTF-8\nshouldExecute=true',
    });
    const set = await load();
    expect(codes(set)).toEqual(['migration-conf-invalid error']);
    expect(set.findings[0]?.message).toContain('encodign');
    expect(set.findings[0]?.message).toContain('executeInTransaction must be true or false');
  });

  it('replaces placeholders before the checksum of repeatables, and of these only', async () => {
    write({ 'sql/R__a.sql': 'SELECT ${x};\n', 'sql/V1__a.sql': 'SELECT ${x};\n', 'sql/R__raw.sql': 'SELECT ${x};\n' });
    write({ 'sql/R__raw.sql.conf': 'placeholderReplacement=false' });
    const set = await load({ placeholders: { x: '1' } });
    const checksums = Object.fromEntries(set.migrations.map(({ script, checksum }) => [script, checksum]));
    expect(checksums).toEqual({ 'R__a.sql': 78787420, 'V1__a.sql': 160378602, 'R__raw.sql': 160378602 });
  });

  it('leaves the checksum open where only a connection knows a placeholder, and reports one that nobody knows', async () => {
    write({ 'sql/R__a.sql': 'SELECT ${flyway:user};', 'sql/R__b.sql': 'SELECT ${nobody};' });
    const set = await load();
    expect(set.migrations.map(({ checksum }) => checksum)).toEqual([null, null]);
    expect(set.findings).toMatchObject([{ code: 'placeholder-unknown', subject: 'R__b.sql' }]);
  });

  it('reads 10,000 files in about a second of processor time at most', async () => {
    const files: Record<string, string> = {};
    for (let index = 1; index <= 10_000; index++)
      files[`sql/V${index}__step.sql`] = `CREATE TABLE t${index} (id int);\n`;
    write(files);
    const before = process.cpuUsage();
    const set = await load();
    const { user, system } = process.cpuUsage(before);
    expect(set.migrations).toHaveLength(10_000);
    expect((user + system) / 1000).toBeLessThan(1500);
  });
});

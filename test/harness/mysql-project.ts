import { checksumOf } from '../../adapters/histories/flyway/checksum.js';
import { createProject, type ProjectOptions, type TestProject, type VersionFiles } from './project.js';
import { type MysqlDatabase, runOn } from './mysql.js';

/* A Flyway project on MySQL or MariaDB, and what its database holds. */

/** As MySQLDatabase of Flyway 13 creates it. */
const historyTable = `CREATE TABLE IF NOT EXISTS \`flyway_schema_history\` (
 \`installed_rank\` INT NOT NULL, \`version\` VARCHAR(50), \`description\` VARCHAR(200) NOT NULL, \`type\` VARCHAR(20) NOT NULL,
 \`script\` VARCHAR(1000) NOT NULL, \`checksum\` INT, \`installed_by\` VARCHAR(100) NOT NULL,
 \`installed_on\` TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP, \`execution_time\` INT NOT NULL, \`success\` BOOL NOT NULL,
 PRIMARY KEY (\`installed_rank\`), KEY \`flyway_schema_history_s_idx\` (\`success\`)) ENGINE = InnoDB`;

function historyRow({ version, up }: VersionFiles): string {
  const stored = version.replaceAll('_', '.');
  return `INSERT INTO flyway_schema_history SELECT COALESCE(MAX(installed_rank), 0) + 1, '${stored}', 'step', 'SQL',
 'V${version}__step.sql', ${String(checksumOf(up))}, SUBSTRING_INDEX(CURRENT_USER(), '@', 1), '2026-01-02 03:04:05', 1, 1 FROM flyway_schema_history`;
}

/** As createProject; apply runs the migrations by itself and writes the history as Flyway 13 would. */
export async function createMysqlProject(
  options: Omit<ProjectOptions, 'database'> & { readonly database: MysqlDatabase },
): Promise<TestProject> {
  const project = await createProject(options);
  return {
    ...project,
    apply: async (list) => {
      for (const files of list) await project.write(files);
      const texts = list.flatMap((files) => [files.up.replace(/;\s*$/, ''), historyRow(files)]);
      await runOn(options.database.url, [historyTable, ...texts].join(';\n'));
    },
  };
}

/** Removes every table and view, so that one database serves many tests. */
export async function emptyDatabase({ name, url }: MysqlDatabase): Promise<void> {
  const found = await runOn(
    url,
    `SELECT table_name AS name, table_type AS kind FROM information_schema.tables WHERE table_schema = '${name}'`,
  );
  const drops = found.map(({ name: table, kind }) => `DROP ${kind === 'VIEW' ? 'VIEW' : 'TABLE'} \`${String(table)}\``);
  await runOn(url, ['SET foreign_key_checks = 0', ...drops].join(';'));
}

/** Every table as SHOW CREATE tells it, and its rows, but for flyback's own. Equal text, equal database. */
export async function mysqlSnapshot({ name, url }: MysqlDatabase): Promise<string> {
  const tables = await runOn(
    url,
    `SELECT table_name AS name FROM information_schema.tables WHERE table_schema = '${name}' AND table_name NOT LIKE 'flyback%' ORDER BY table_name`,
  );
  const parts: string[] = [];
  for (const { name: table } of tables) {
    const quoted = `\`${String(table)}\``;
    const [created] = await runOn(url, `SHOW CREATE TABLE ${quoted}`);
    parts.push(String(created?.['Create Table'] ?? created?.['Create View']).replace(/ AUTO_INCREMENT=\d+/, ''));
    const rows = await runOn(url, `SELECT * FROM ${quoted}`);
    parts.push(...rows.map((row) => JSON.stringify(row)).sort());
  }
  return parts.join('\n');
}

/** The record's entries, oldest first. */
export async function mysqlRecord({ url }: MysqlDatabase): Promise<readonly Record<string, unknown>[]> {
  const [found] = await runOn(url, "SHOW TABLES LIKE 'flyback_record'");
  if (found === undefined) return [];
  const rows = await runOn(url, 'SELECT entry FROM flyback_record ORDER BY id');
  return rows.map((row) => JSON.parse(String(row['entry'])) as Record<string, unknown>);
}

/** Versions in the history with their mark of success, by rank. */
export async function mysqlHistory({ url }: MysqlDatabase): Promise<readonly (readonly [string, boolean])[]> {
  const rows = await runOn(url, 'SELECT version, success FROM flyway_schema_history ORDER BY installed_rank');
  return rows.map((row) => [String(row['version']), Number(row['success']) === 1] as const);
}

import type { Session } from '../adapter/database.js';
import type { Project } from '../project/project.js';

/**
 * The project as it is in a scratch database: where the history, the record and the scripts' unqualified names are. Where a
 * database is what elsewhere is a schema (its DDL commits, too), all of them are in the scratch database itself. Pure.
 */
export function projectIn(project: Project, session: Pick<Session, 'facts'>): Project {
  const { config, toolbox, recordTable } = project;
  const { history } = toolbox;
  if (toolbox.database.dialect.ddl === 'transactional') {
    return { ...project, table: history.tableName(config.tool, 'public') };
  }
  const { databaseName } = session.facts;
  const table = { ...history.tableName(config.tool, databaseName), schema: databaseName };
  return {
    ...project,
    table,
    recordTable: { ...recordTable, schema: databaseName },
    scriptSchema: history.scriptSchema(config.tool, table, databaseName),
  };
}

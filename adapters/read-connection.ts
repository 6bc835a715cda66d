import type { ReadConnection } from '../src/config/readers.js';
import { readMysqlConnection } from './databases/mysql/url.js';
import { isMysqlUrl } from './databases/mysql/url-parts.js';
import { readConnection as readPostgresqlConnection } from './databases/postgresql/jdbc-url.js';

/** By the scheme of the URL; PostgreSQL's reader explains what belongs to no database. */
export const readConnection: ReadConnection = (request) =>
  isMysqlUrl(request.url.value.trim()) ? readMysqlConnection(request) : readPostgresqlConnection(request);

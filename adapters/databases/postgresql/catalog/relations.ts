import {
  made,
  notLeftOut,
  notMember,
  objects,
  options,
  ours,
  plainPrivileges,
  privileges,
  unless,
  type CatalogQuery,
  type RelationPart,
  type Scope,
} from './parts.js';

const ofRelation = { catalog: 'pg_class', oid: 'c.oid' } as const satisfies Scope;
const partOfRelation = (part: RelationPart): Scope => ({ ...ofRelation, part });
const relation = `pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace`;
const ourRelation = `${ours('n')} AND ${notMember('pg_class', 'c.oid')} AND ${notLeftOut('c.oid')}`;

/** Until PostgreSQL 14 the copies of a trigger in partitions count as internal, as the ones behind foreign keys do. */
const isOwnTrigger = `(NOT t.tgisinternal OR t.tgparentid <> 0 AND t.tgname !~ '^RI_ConstraintTrigger_')`;

const relationKind = `(CASE c.relkind WHEN 'r' THEN 'table' WHEN 'p' THEN 'table' WHEN 'f' THEN 'foreign table' WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view' END)`;

/** Tables of every kind, views, columns, constraints, indexes, triggers, rules, policies, sequences. */
export const relationQueries: readonly CatalogQuery[] = [
  objects(
    ofRelation,
    relationKind,
    'c.oid::regclass',
    {
      owner: 'c.relowner::regrole',
      privileges: privileges('c.relacl', 'r', 'c.relowner'),
      persistence: `CASE c.relpersistence WHEN 'u' THEN 'unlogged' WHEN 't' THEN 'temporary' END`,
      options: options('c.reloptions'),
      'toast options': `(SELECT ${options('t.reloptions')} FROM pg_class t WHERE t.oid = c.reltoastrelid)`,
      'access method': `nullif((SELECT am.amname FROM pg_am am WHERE am.oid = c.relam), 'heap')`,
      tablespace: '(SELECT s.spcname FROM pg_tablespace s WHERE s.oid = c.reltablespace)',
      'row security': unless('false', 'c.relrowsecurity'),
      'row security forced': unless('false', 'c.relforcerowsecurity'),
      'replica identity': `CASE c.relreplident WHEN 'n' THEN 'nothing' WHEN 'f' THEN 'full' WHEN 'i' THEN 'index' END`,
      'partitioned by': `CASE WHEN c.relkind = 'p' THEN pg_get_partkeydef(c.oid) END`,
      'partition bound': 'pg_get_expr(c.relpartbound, c.oid)',
      parents: `(SELECT string_agg(i.inhparent::regclass::text || CASE WHEN i.inhdetachpending THEN ' (detach pending)' ELSE '' END, ', ' ORDER BY i.inhseqno) FROM pg_inherits i WHERE i.inhrelid = c.oid)`,
      'of type': 'nullif(c.reloftype, 0)::regtype',
      definition: `CASE WHEN c.relkind IN ('v', 'm') THEN pg_get_viewdef(c.oid) END`,
      populated: `CASE WHEN c.relkind = 'm' THEN ${unless('true', 'c.relispopulated')} END`,
      server: `(SELECT s.srvname || coalesce(' ' || ${options('f.ftoptions')}, '') FROM pg_foreign_table f JOIN pg_foreign_server s ON s.oid = f.ftserver WHERE f.ftrelid = c.oid)`,
    },
    `${relation} WHERE c.relkind IN ('r', 'p', 'f', 'v', 'm') AND ${ourRelation}`,
  ),
  objects(
    ofRelation,
    'column',
    `format('%s.%I', c.oid::regclass, a.attname)`,
    {
      type: 'format_type(a.atttypid, a.atttypmod)',
      collation:
        'nullif(a.attcollation, (SELECT t.typcollation FROM pg_type t WHERE t.oid = a.atttypid))::regcollation',
      'not null': unless('false', 'a.attnotnull'),
      default: `CASE WHEN a.attgenerated = '' THEN pg_get_expr(d.adbin, d.adrelid) END`,
      identity: `CASE a.attidentity WHEN 'a' THEN 'always' WHEN 'd' THEN 'by default' END`,
      generated: `CASE WHEN a.attgenerated <> '' THEN format('%s %s', CASE a.attgenerated WHEN 's' THEN 'stored' ELSE 'virtual' END, pg_get_expr(d.adbin, d.adrelid)) END`,
      storage: `CASE WHEN c.relkind IN ('r', 'p', 'm', 'f') AND a.attstorage <> (SELECT t.typstorage FROM pg_type t WHERE t.oid = a.atttypid) THEN CASE a.attstorage WHEN 'p' THEN 'plain' WHEN 'e' THEN 'external' WHEN 'x' THEN 'extended' ELSE 'main' END END`,
      compression: `CASE a.attcompression WHEN 'p' THEN 'pglz' WHEN 'l' THEN 'lz4' END`,
      statistics: 'nullif(a.attstattarget, -1)',
      options: options('a.attoptions'),
      'server options': options('a.attfdwoptions'),
      inherited: 'nullif(a.attinhcount, 0)',
      local: unless('true', 'a.attislocal'),
      privileges: plainPrivileges('a.attacl'),
    },
    `${relation} JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
WHERE c.relkind IN ('r', 'p', 'f', 'v', 'm', 'c') AND ${ourRelation}`,
  ),
  objects(
    ofRelation,
    'column order',
    'c.oid::regclass',
    { columns: `string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum)` },
    `${relation} JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE c.relkind IN ('r', 'p', 'f', 'c') AND ${ourRelation}`,
    { groupBy: 'c.oid' },
  ),
  objects(
    ofRelation,
    'constraint',
    `format('%I on %s', k.conname, k.conrelid::regclass)`,
    {
      definition: 'pg_get_constraintdef(k.oid)',
      validated: unless('true', 'k.convalidated'),
      inherited: 'nullif(k.coninhcount, 0)',
      local: unless('true', 'k.conislocal'),
      index: 'nullif(k.conindid, 0)::regclass',
    },
    // Copies of a foreign key in partitions follow from that of the partitioned table.
    `pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE k.contype <> 't' AND NOT (k.contype = 'f' AND k.conparentid <> 0) AND ${ourRelation}`,
  ),
  objects(
    ofRelation,
    'index',
    'c.oid::regclass',
    {
      definition: 'pg_get_indexdef(c.oid)',
      valid: unless('true', 'i.indisvalid'),
      ready: unless('true', 'i.indisready'),
      clustered: unless('false', 'i.indisclustered'),
      'replica identity': unless('false', 'i.indisreplident'),
      tablespace: '(SELECT s.spcname FROM pg_tablespace s WHERE s.oid = c.reltablespace)',
      parent: '(SELECT h.inhparent::regclass FROM pg_inherits h WHERE h.inhrelid = c.oid)',
      statistics: `(SELECT string_agg(format('%s: %s', a.attnum, a.attstattarget), ', ' ORDER BY a.attnum) FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attstattarget >= 0)`,
    },
    `${relation} JOIN pg_index i ON i.indexrelid = c.oid WHERE ${ourRelation} AND ${notLeftOut('i.indrelid')}`,
  ),
  objects(
    { ...ofRelation, relkind: 'S' },
    'sequence',
    'c.oid::regclass',
    {
      owner: 'c.relowner::regrole',
      privileges: privileges('c.relacl', 's', 'c.relowner'),
      persistence: `CASE c.relpersistence WHEN 'u' THEN 'unlogged' WHEN 't' THEN 'temporary' END`,
      type: 'format_type(s.seqtypid, NULL)',
      parameters: `format('start %s increment %s minimum %s maximum %s cache %s%s', s.seqstart, s.seqincrement, s.seqmin, s.seqmax, s.seqcache, CASE WHEN s.seqcycle THEN ' cycle' ELSE '' END)`,
      'owned by': `(SELECT format('%s.%I%s', o.refobjid::regclass, a.attname, CASE o.deptype WHEN 'i' THEN ' as identity' ELSE '' END) FROM pg_depend o JOIN pg_attribute a ON a.attrelid = o.refobjid AND a.attnum = o.refobjsubid WHERE o.classid = 'pg_class'::regclass AND o.objid = c.oid AND o.refclassid = 'pg_class'::regclass AND o.deptype IN ('a', 'i'))`,
    },
    `${relation} JOIN pg_sequence s ON s.seqrelid = c.oid WHERE ${ourRelation}
 AND NOT EXISTS (SELECT FROM pg_depend o WHERE o.classid = 'pg_class'::regclass AND o.objid = c.oid AND o.refclassid = 'pg_class'::regclass AND o.deptype IN ('a', 'i') AND NOT ${notLeftOut('o.refobjid')})`,
  ),
  objects(
    partOfRelation('pg_trigger'),
    'trigger',
    `format('%I on %s', t.tgname, c.oid::regclass)`,
    {
      definition: 'pg_get_triggerdef(t.oid)',
      enabled: `nullif(${triggerState('t.tgenabled')}, 'origin')`,
    },
    `pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE ${isOwnTrigger} AND ${ourRelation}`,
  ),
  // The triggers behind foreign keys carry no name worth comparing, but they can be switched off.
  objects(
    partOfRelation('pg_trigger'),
    'foreign key triggers',
    'c.oid::regclass',
    { enabled: `string_agg(DISTINCT ${triggerState('t.tgenabled')}, ', ')` },
    `pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE NOT ${isOwnTrigger} AND t.tgenabled <> 'O' AND ${ourRelation}`,
    { groupBy: 'c.oid' },
  ),
  objects(
    partOfRelation('pg_rewrite'),
    'rule',
    `format('%I on %s', r.rulename, c.oid::regclass)`,
    { definition: 'pg_get_ruledef(r.oid)', enabled: `nullif(${triggerState('r.ev_enabled')}, 'origin')` },
    `pg_rewrite r JOIN pg_class c ON c.oid = r.ev_class JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE r.rulename <> '_RETURN' AND ${ourRelation}`,
  ),
  objects(
    partOfRelation('pg_policy'),
    'policy',
    `format('%I on %s', p.polname, c.oid::regclass)`,
    {
      command: `nullif(p.polcmd::text, '*')`,
      kind: `CASE WHEN p.polpermissive THEN NULL ELSE 'restrictive' END`,
      roles: `(SELECT string_agg(CASE o WHEN 0 THEN 'PUBLIC' ELSE o::regrole::text END, ', ' ORDER BY CASE o WHEN 0 THEN 'PUBLIC' ELSE o::regrole::text END) FROM unnest(p.polroles) o)`,
      using: 'pg_get_expr(p.polqual, c.oid)',
      check: 'pg_get_expr(p.polwithcheck, c.oid)',
    },
    `pg_policy p JOIN pg_class c ON c.oid = p.polrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE ${ourRelation}`,
  ),
  objects(
    { catalogs: ['pg_statistic_ext'] },
    'statistics',
    `format('%I.%I', n.nspname, s.stxname)`,
    {
      definition: 'pg_get_statisticsobjdef(s.oid)',
      owner: 's.stxowner::regrole',
      target: 'nullif(s.stxstattarget, -1)',
    },
    `pg_statistic_ext s JOIN pg_namespace n ON n.oid = s.stxnamespace WHERE ${ours('n')} AND ${made('s.oid')} AND ${notLeftOut('s.stxrelid')}`,
  ),
];

function triggerState(value: string): string {
  return `CASE ${value} WHEN 'O' THEN 'origin' WHEN 'D' THEN 'disabled' WHEN 'R' THEN 'replica' ELSE 'always' END`;
}

import { made, notMember, objects, options, plainPrivileges, privileges, unless, type CatalogQuery } from './parts.js';

/** What a password or another secret may stand in is compared by its digest, never shown. */
function hidden(value: string): string {
  return `md5(${value})`;
}

/**
 * Options of a subscription with the major that brought them. Only columns that every role may read: the connection
 * string, which may hold a password, is none of them.
 */
const subscriptionOptions: readonly (readonly [name: string, value: string, from: number])[] = [
  ['streaming', `nullif(nullif(o.substream::text, 'f'), 'false')`, 14],
  ['two-phase commit', `nullif(o.subtwophasestate::text, 'd')`, 15],
  ['disabled on error', unless('false', 'o.subdisableonerr'), 15],
  ['origin', `nullif(o.suborigin, 'any')`, 16],
  ['password required', unless('true', 'o.subpasswordrequired'), 16],
  ['run as owner', unless('false', 'o.subrunasowner'), 16],
  ['failover', unless('false', 'o.subfailover'), 17],
];

function subscriptionQueries(): readonly CatalogQuery[] {
  const majors = [...new Set(subscriptionOptions.map(([, , from]) => from))];
  return majors.map((major, at) => {
    const next = majors[at + 1];
    return objects(
      { catalogs: ['pg_subscription'] },
      'subscription',
      'quote_ident(o.subname)',
      {
        owner: 'o.subowner::regrole',
        enabled: 'o.subenabled',
        slot: 'o.subslotname',
        publications: options('o.subpublications'),
        binary: unless('false', 'o.subbinary'),
        'synchronous commit': `nullif(o.subsynccommit, 'off')`,
        ...Object.fromEntries(
          subscriptionOptions.flatMap(([name, value, from]) => (from <= major ? [[name, value]] : [])),
        ),
      },
      'pg_subscription o WHERE o.subdbid = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())',
      { from: major, ...(next === undefined ? {} : { until: next - 1 }) },
    );
  });
}

/** Replication, foreign data, privileges, comments, settings, roles: what belongs to no single schema. */
export const sharedQueries: readonly CatalogQuery[] = [
  objects(
    { catalogs: ['pg_publication'] },
    'publication',
    'quote_ident(o.pubname)',
    {
      owner: 'o.pubowner::regrole',
      definition: `(to_jsonb(o) - '{oid,pubname,pubowner}'::text[])::text`,
    },
    'pg_publication o',
  ),
  objects(
    { catalogs: ['pg_publication_rel'] },
    'publication table',
    `format('%s in %I', r.prrelid::regclass, o.pubname)`,
    {},
    'pg_publication_rel r JOIN pg_publication o ON o.oid = r.prpubid',
    { until: 14 },
  ),
  objects(
    { catalogs: ['pg_publication_rel'] },
    'publication table',
    `format('%s in %I', r.prrelid::regclass, o.pubname)`,
    {
      where: 'pg_get_expr(r.prqual, r.prrelid)',
      columns: `(SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY a.attname) FROM pg_attribute a WHERE a.attrelid = r.prrelid AND a.attnum = ANY (r.prattrs))`,
    },
    'pg_publication_rel r JOIN pg_publication o ON o.oid = r.prpubid',
    { from: 15 },
  ),
  objects(
    { catalogs: ['pg_publication_namespace'] },
    'publication schema',
    `format('%s in %I', r.pnnspid::regnamespace, o.pubname)`,
    {},
    'pg_publication_namespace r JOIN pg_publication o ON o.oid = r.pnpubid',
    { from: 15 },
  ),
  ...subscriptionQueries(),
  objects(
    { catalogs: ['pg_foreign_data_wrapper'] },
    'foreign data wrapper',
    'quote_ident(o.fdwname)',
    {
      owner: 'o.fdwowner::regrole',
      privileges: privileges('o.fdwacl', 'F', 'o.fdwowner'),
      functions: `concat_ws(', ', nullif(o.fdwhandler, 0)::regprocedure, nullif(o.fdwvalidator, 0)::regprocedure)`,
      options: options('o.fdwoptions'),
    },
    `pg_foreign_data_wrapper o WHERE ${notMember('pg_foreign_data_wrapper', 'o.oid')}`,
  ),
  objects(
    { catalogs: ['pg_foreign_server'] },
    'foreign server',
    'quote_ident(o.srvname)',
    {
      owner: 'o.srvowner::regrole',
      privileges: privileges('o.srvacl', 'S', 'o.srvowner'),
      wrapper: '(SELECT quote_ident(w.fdwname) FROM pg_foreign_data_wrapper w WHERE w.oid = o.srvfdw)',
      type: 'o.srvtype',
      version: 'o.srvversion',
      options: options('o.srvoptions'),
    },
    'pg_foreign_server o',
  ),
  objects(
    { catalogs: ['pg_user_mapping'] },
    'user mapping',
    `format('%s for %I', CASE o.umuser WHEN 0 THEN 'PUBLIC' ELSE o.umuser::regrole::text END, s.srvname)`,
    { options: hidden(options('o.umoptions')) },
    'pg_user_mapping o JOIN pg_foreign_server s ON s.oid = o.umserver',
  ),
  objects(
    { catalogs: ['pg_default_acl'] },
    'default privileges',
    `format('of %s%s on %s', o.defaclrole::regrole, ' in ' || nullif(o.defaclnamespace, 0)::regnamespace, CASE o.defaclobjtype WHEN 'r' THEN 'tables' WHEN 'S' THEN 'sequences' WHEN 'f' THEN 'functions' WHEN 'T' THEN 'types' WHEN 'n' THEN 'schemas' ELSE 'large objects' END)`,
    { privileges: `coalesce(${plainPrivileges('o.defaclacl')}, 'nobody')` },
    'pg_default_acl o',
  ),
  objects(
    { catalogs: ['pg_description'] },
    'comment',
    `format('on %s %s', i.type, i.identity)`,
    { text: 'o.description' },
    `pg_description o CROSS JOIN LATERAL pg_identify_object(o.classoid, o.objoid, o.objsubid) i
WHERE i.identity IS NOT NULL AND (${made('o.objoid')} OR o.classoid = 'pg_namespace'::regclass AND o.objoid = (SELECT n.oid FROM pg_namespace n WHERE n.nspname = 'public'))
 AND NOT EXISTS (SELECT FROM pg_depend x WHERE x.classid = o.classoid AND x.objid = o.objoid AND x.deptype = 'e')
 AND NOT (o.classoid = 'pg_extension'::regclass)
 AND NOT (o.classoid = 'pg_class'::regclass AND o.objoid = ANY (ARRAY(SELECT left_out FROM without)))`,
  ),
  objects(
    { catalogs: ['pg_description'] },
    'comment',
    `format('on extension %I', e.extname)`,
    { text: 'o.description' },
    `pg_description o JOIN pg_extension e ON e.oid = o.objoid WHERE o.classoid = 'pg_extension'::regclass`,
  ),
  objects(
    { catalogs: ['pg_shdescription'] },
    'comment',
    `format('on %s %s', i.type, i.identity)`,
    { text: 'o.description' },
    `pg_shdescription o CROSS JOIN LATERAL pg_identify_object(o.classoid, o.objoid, 0) i
WHERE ${made('o.objoid')} AND (o.classoid <> 'pg_database'::regclass OR o.objoid = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database()))`,
  ),
  objects(
    { catalogs: ['pg_seclabel'] },
    'security label',
    `format('%s on %s %s', o.provider, i.type, i.identity)`,
    { label: 'o.label' },
    `pg_seclabel o CROSS JOIN LATERAL pg_identify_object(o.classoid, o.objoid, o.objsubid) i WHERE i.identity IS NOT NULL`,
  ),
  objects(
    { catalogs: ['pg_shseclabel'] },
    'security label',
    `format('%s on %s %s', o.provider, i.type, i.identity)`,
    { label: 'o.label' },
    `pg_shseclabel o CROSS JOIN LATERAL pg_identify_object(o.classoid, o.objoid, 0) i
WHERE ${made('o.objoid')} AND (o.classoid <> 'pg_database'::regclass OR o.objoid = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database()))`,
  ),
  objects(
    { catalogs: ['pg_db_role_setting'] },
    'setting',
    `format('%s of %s', split_part(s, '=', 1), CASE WHEN o.setrole = 0 THEN 'the database' WHEN o.setdatabase = 0 THEN 'role ' || o.setrole::regrole::text ELSE 'role ' || o.setrole::regrole::text || ' in the database' END)`,
    { value: `substr(s, strpos(s, '=') + 1)` },
    `pg_db_role_setting o, unnest(o.setconfig) s WHERE o.setdatabase IN (0, (SELECT d.oid FROM pg_database d WHERE d.datname = current_database()))`,
  ),
  // Another database can be made or dropped by a migration; those in which proofs are made come and go.
  objects(
    { catalogs: ['pg_database'] },
    'database',
    'quote_ident(o.datname)',
    { owner: 'o.datdba::regrole' },
    `pg_database o WHERE o.datname <> current_database() AND NOT o.datistemplate AND o.datname !~ '^flyback_proof_'`,
  ),
  objects(
    { catalogs: ['pg_database'] },
    'database',
    `'this one'`,
    {
      owner: 'o.datdba::regrole',
      privileges: privileges('o.datacl', 'd', 'o.datdba'),
      'connection limit': 'nullif(o.datconnlimit, -1)',
      'allows connections': unless('true', 'o.datallowconn'),
      template: unless('false', 'o.datistemplate'),
    },
    'pg_database o WHERE o.datname = current_database()',
  ),
  objects(
    { catalogs: ['pg_authid', 'pg_auth_members'] },
    'role',
    'o.oid::regrole',
    {
      attributes: `concat_ws(', ', CASE WHEN o.rolsuper THEN 'superuser' END, CASE WHEN NOT o.rolinherit THEN 'noinherit' END, CASE WHEN o.rolcreaterole THEN 'createrole' END, CASE WHEN o.rolcreatedb THEN 'createdb' END,
 CASE WHEN o.rolcanlogin THEN 'login' END, CASE WHEN o.rolreplication THEN 'replication' END, CASE WHEN o.rolbypassrls THEN 'bypassrls' END, 'limit ' || nullif(o.rolconnlimit, -1), 'until ' || o.rolvaliduntil)`,
      'member of': `(SELECT string_agg(DISTINCT format('%s%s%s%s', m.roleid::regrole, CASE WHEN m.admin_option THEN ' with admin' END, CASE WHEN to_jsonb(m) ->> 'inherit_option' = 'false' THEN ' without inherit' END, CASE WHEN to_jsonb(m) ->> 'set_option' = 'false' THEN ' without set' END), ', ') FROM pg_auth_members m WHERE m.member = o.oid)`,
    },
    `pg_roles o WHERE o.rolname !~ '^pg_'`,
  ),
  // Settings of ALTER SYSTEM. Only a superuser may read the file; whoever starts a scratch server is one.
  objects(
    // Written outside every transaction, by ALTER SYSTEM.
    { catalogs: [] },
    'server setting',
    'o.name',
    { value: 'o.setting' },
    `pg_file_settings o WHERE o.sourcefile ~ 'postgresql\\.auto\\.conf$'`,
  ),
  objects(
    { catalogs: ['pg_tablespace'] },
    'tablespace',
    'quote_ident(o.spcname)',
    {
      owner: 'o.spcowner::regrole',
      privileges: privileges('o.spcacl', 't', 'o.spcowner'),
      options: options('o.spcoptions'),
    },
    `pg_tablespace o WHERE ${made('o.oid')}`,
  ),
  objects(
    { catalogs: ['pg_largeobject_metadata'] },
    'large object',
    'o.oid',
    { owner: 'o.lomowner::regrole', privileges: privileges('o.lomacl', 'L', 'o.lomowner') },
    'pg_largeobject_metadata o',
  ),
  objects(
    { catalogs: ['pg_parameter_acl'] },
    'parameter privileges',
    'o.parname',
    { privileges: plainPrivileges('o.paracl') },
    'pg_parameter_acl o',
    {
      from: 15,
    },
  ),
];

import { made, notMember, objects, options, ours, privileges, unless, type CatalogQuery } from './parts.js';

function proc(value: string): string {
  return `nullif(${value}, 0)::regprocedure`;
}

/** Schemas, routines, types, operators, text search and the other named things that live beside relations. */
export const objectQueries: readonly CatalogQuery[] = [
  objects(
    { catalogs: ['pg_namespace'] },
    'schema',
    'quote_ident(n.nspname)',
    { owner: 'n.nspowner::regrole', privileges: privileges('n.nspacl', 'n', 'n.nspowner') },
    `pg_namespace n WHERE ${ours('n')} AND ${notMember('pg_namespace', 'n.oid')}`,
  ),
  objects(
    { catalog: 'pg_proc', oid: 'p.oid' },
    `(CASE p.prokind WHEN 'p' THEN 'procedure' WHEN 'a' THEN 'aggregate' ELSE 'function' END)`,
    'p.oid::regprocedure',
    {
      owner: 'p.proowner::regrole',
      privileges: privileges('p.proacl', 'f', 'p.proowner'),
      definition: `CASE WHEN p.prokind <> 'a' THEN pg_get_functiondef(p.oid) END`,
      aggregate: `(SELECT concat_ws(', ', 'kind ' || g.aggkind::text, nullif('direct ' || g.aggnumdirectargs, 'direct 0'), 'transition ' || ${proc('g.aggtransfn')}::text,
 'state ' || format_type(g.aggtranstype, NULL), nullif('space ' || g.aggtransspace, 'space 0'), 'final ' || ${proc('g.aggfinalfn')}::text, CASE WHEN g.aggfinalextra THEN 'final extra' END,
 'final modify ' || g.aggfinalmodify::text, 'combine ' || ${proc('g.aggcombinefn')}::text, 'serial ' || ${proc('g.aggserialfn')}::text, 'deserial ' || ${proc('g.aggdeserialfn')}::text,
 'moving ' || ${proc('g.aggmtransfn')}::text, 'moving inverse ' || ${proc('g.aggminvtransfn')}::text, 'moving final ' || ${proc('g.aggmfinalfn')}::text,
 'moving state ' || format_type(nullif(g.aggmtranstype, 0), NULL), 'sort ' || nullif(g.aggsortop, 0)::regoperator::text, 'initial ' || quote_literal(g.agginitval),
 'moving initial ' || quote_literal(g.aggminitval), 'parallel ' || p.proparallel::text, 'arguments ' || pg_get_function_arguments(p.oid)) FROM pg_aggregate g WHERE g.aggfnoid = p.oid)`,
    },
    // The function behind a trigger of a table that is left out belongs to it.
    `pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE ${ours('n')} AND ${notMember('pg_proc', 'p.oid')}
 AND NOT EXISTS (SELECT FROM pg_trigger t JOIN without ON t.tgrelid = left_out WHERE t.tgfoid = p.oid)`,
  ),
  objects(
    { catalog: 'pg_type', oid: 't.oid' },
    `(CASE t.typtype WHEN 'e' THEN 'enum' WHEN 'd' THEN 'domain' WHEN 'r' THEN 'range type' WHEN 'm' THEN 'multirange type' WHEN 'p' THEN 'shell type' WHEN 'c' THEN 'composite type' ELSE 'type' END)`,
    't.oid::regtype',
    {
      owner: 't.typowner::regrole',
      privileges: privileges('t.typacl', 'T', 't.typowner'),
      labels: `(SELECT string_agg(quote_literal(e.enumlabel), ', ' ORDER BY e.enumsortorder) FROM pg_enum e WHERE e.enumtypid = t.oid)`,
      base: `CASE WHEN t.typtype = 'd' THEN format_type(t.typbasetype, t.typtypmod) END`,
      collation: `CASE WHEN t.typtype = 'd' THEN nullif(t.typcollation, (SELECT b.typcollation FROM pg_type b WHERE b.oid = t.typbasetype))::regcollation END`,
      'not null': unless('false', 't.typnotnull'),
      // The text beside the expression is written with the search_path of whoever set it.
      default: `coalesce(pg_get_expr(t.typdefaultbin, 'pg_type'::regclass), t.typdefault)`,
      range: `(SELECT concat_ws(', ', 'of ' || format_type(r.rngsubtype, NULL), 'collation ' || nullif(r.rngcollation, 0)::regcollation::text, 'operator class ' || (SELECT format('%I.%I', m.nspname, o.opcname) FROM pg_opclass o JOIN pg_namespace m ON m.oid = o.opcnamespace WHERE o.oid = r.rngsubopc),
 'canonical ' || nullif(r.rngcanonical, 0)::regprocedure::text, 'difference ' || nullif(r.rngsubdiff, 0)::regprocedure::text, 'multirange ' || r.rngmultitypid::regtype::text) FROM pg_range r WHERE r.rngtypid = t.oid)`,
      functions: `CASE WHEN t.typtype = 'b' THEN concat_ws(', ', t.typinput::oid::regprocedure, t.typoutput::oid::regprocedure, nullif(t.typreceive::oid, 0)::regprocedure, nullif(t.typsend::oid, 0)::regprocedure, nullif(t.typanalyze::oid, 0)::regprocedure, 'modifiers ' || nullif(t.typmodin::oid, 0)::regprocedure::text, nullif(t.typmodout::oid, 0)::regprocedure, 'subscripts ' || nullif(t.typsubscript::oid, 0)::regprocedure::text, 'of ' || format_type(nullif(t.typelem, 0), NULL)) END`,
      layout: `CASE WHEN t.typtype = 'b' THEN concat_ws(' ', t.typlen, t.typalign, t.typstorage, t.typbyval, t.typcategory, t.typispreferred, quote_literal(t.typdelim::text), CASE WHEN t.typcollation <> 0 THEN 'collatable' END) END`,
    },
    `pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
WHERE ${ours('n')} AND ${notMember('pg_type', 't.oid')} AND (t.typtype IN ('e', 'd', 'r', 'm', 'p') OR t.typtype = 'b' AND t.typelem = 0
 OR t.typtype = 'c' AND EXISTS (SELECT FROM pg_class c WHERE c.oid = t.typrelid AND c.relkind = 'c')
 OR t.typtype = 'b' AND NOT EXISTS (SELECT FROM pg_type e WHERE e.typarray = t.oid))`,
  ),
  objects(
    { catalogs: ['pg_constraint'] },
    'constraint',
    `format('%I on domain %s', k.conname, k.contypid::regtype)`,
    { definition: 'pg_get_constraintdef(k.oid)', validated: unless('true', 'k.convalidated') },
    `pg_constraint k JOIN pg_type t ON t.oid = k.contypid JOIN pg_namespace n ON n.oid = t.typnamespace WHERE k.contypid > 0::oid AND ${ours('n')} AND ${notMember('pg_type', 't.oid')}`,
  ),
  objects(
    { catalogs: ['pg_cast'] },
    'cast',
    `format('%s as %s', format_type(k.castsource, NULL), format_type(k.casttarget, NULL))`,
    { function: proc('k.castfunc'), context: 'k.castcontext', method: 'k.castmethod' },
    `pg_cast k WHERE ${made('k.oid')} AND ${notMember('pg_cast', 'k.oid')}`,
  ),
  objects(
    { catalogs: ['pg_operator'] },
    'operator',
    'o.oid::regoperator',
    {
      owner: 'o.oprowner::regrole',
      result: 'format_type(nullif(o.oprresult, 0), NULL)',
      function: 'nullif(o.oprcode::oid, 0)::regprocedure',
      commutator: 'nullif(o.oprcom, 0)::regoperator',
      negator: 'nullif(o.oprnegate, 0)::regoperator',
      restrict: 'nullif(o.oprrest::oid, 0)::regprocedure',
      join: 'nullif(o.oprjoin::oid, 0)::regprocedure',
      hashes: unless('false', 'o.oprcanhash'),
      merges: unless('false', 'o.oprcanmerge'),
    },
    `pg_operator o JOIN pg_namespace n ON n.oid = o.oprnamespace WHERE ${ours('n')} AND ${notMember('pg_operator', 'o.oid')}`,
  ),
  objects(
    { catalogs: ['pg_opclass'] },
    'operator class',
    `format('%I.%I using %I', n.nspname, o.opcname, m.amname)`,
    {
      owner: 'o.opcowner::regrole',
      family: `(SELECT format('%I.%I', x.nspname, f.opfname) FROM pg_opfamily f JOIN pg_namespace x ON x.oid = f.opfnamespace WHERE f.oid = o.opcfamily)`,
      type: 'format_type(o.opcintype, NULL)',
      default: unless('false', 'o.opcdefault'),
      stores: 'format_type(nullif(o.opckeytype, 0), NULL)',
    },
    `pg_opclass o JOIN pg_namespace n ON n.oid = o.opcnamespace JOIN pg_am m ON m.oid = o.opcmethod WHERE ${ours('n')} AND ${notMember('pg_opclass', 'o.oid')}`,
  ),
  // Members of a family may be added to the server's own ones too.
  objects(
    { catalogs: ['pg_opfamily', 'pg_amop', 'pg_amproc'] },
    'operator family',
    `format('%I.%I using %I', n.nspname, o.opfname, m.amname)`,
    {
      owner: 'o.opfowner::regrole',
      operators: `(SELECT string_agg(format('%s %s %s', a.amopstrategy, a.amopopr::regoperator, a.amoppurpose), ', ' ORDER BY a.amopstrategy, a.amopopr::regoperator::text) FROM pg_amop a WHERE a.amopfamily = o.oid)`,
      functions: `(SELECT string_agg(format('%s %s (%s, %s)', a.amprocnum, a.amproc::oid::regprocedure, format_type(a.amproclefttype, NULL), format_type(a.amprocrighttype, NULL)), ', ' ORDER BY a.amprocnum, a.amproc::oid::regprocedure::text) FROM pg_amproc a WHERE a.amprocfamily = o.oid)`,
    },
    `pg_opfamily o JOIN pg_namespace n ON n.oid = o.opfnamespace JOIN pg_am m ON m.oid = o.opfmethod WHERE ${ours('n')} AND ${notMember('pg_opfamily', 'o.oid')}`,
  ),
  objects(
    { catalogs: ['pg_collation'] },
    'collation',
    `format('%I.%I', n.nspname, o.collname)`,
    {
      owner: 'o.collowner::regrole',
      // The names of the columns with the locale differ between majors; NULL and id columns go.
      definition: `(to_jsonb(o) - '{oid,collname,collnamespace,collowner,collversion}'::text[])::text`,
    },
    `pg_collation o JOIN pg_namespace n ON n.oid = o.collnamespace WHERE ${ours('n')} AND ${notMember('pg_collation', 'o.oid')}`,
  ),
  objects(
    { catalogs: ['pg_conversion'] },
    'conversion',
    `format('%I.%I', n.nspname, o.conname)`,
    {
      owner: 'o.conowner::regrole',
      definition: `format('%s to %s by %s%s', pg_encoding_to_char(o.conforencoding), pg_encoding_to_char(o.contoencoding), o.conproc::oid::regprocedure, CASE WHEN o.condefault THEN ' default' ELSE '' END)`,
    },
    `pg_conversion o JOIN pg_namespace n ON n.oid = o.connamespace WHERE ${ours('n')} AND ${notMember('pg_conversion', 'o.oid')}`,
  ),
  objects(
    { catalogs: ['pg_ts_config', 'pg_ts_config_map'] },
    'text search configuration',
    'o.oid::regconfig',
    {
      owner: 'o.cfgowner::regrole',
      parser: `(SELECT format('%I.%I', x.nspname, p.prsname) FROM pg_ts_parser p JOIN pg_namespace x ON x.oid = p.prsnamespace WHERE p.oid = o.cfgparser)`,
      mapping: `(SELECT string_agg(format('%s: %s', m.maptokentype, m.mapdict::regdictionary), ', ' ORDER BY m.maptokentype, m.mapseqno) FROM pg_ts_config_map m WHERE m.mapcfg = o.oid)`,
    },
    `pg_ts_config o JOIN pg_namespace n ON n.oid = o.cfgnamespace WHERE ${ours('n')} AND ${notMember('pg_ts_config', 'o.oid')}`,
  ),
  objects(
    { catalogs: ['pg_ts_dict'] },
    'text search dictionary',
    'o.oid::regdictionary',
    {
      owner: 'o.dictowner::regrole',
      template: `(SELECT format('%I.%I', x.nspname, t.tmplname) FROM pg_ts_template t JOIN pg_namespace x ON x.oid = t.tmplnamespace WHERE t.oid = o.dicttemplate)`,
      options: 'o.dictinitoption',
    },
    `pg_ts_dict o JOIN pg_namespace n ON n.oid = o.dictnamespace WHERE ${ours('n')} AND ${notMember('pg_ts_dict', 'o.oid')}`,
  ),
  objects(
    { catalogs: ['pg_ts_parser'] },
    'text search parser',
    `format('%I.%I', n.nspname, o.prsname)`,
    {
      functions: `concat_ws(', ', o.prsstart::oid::regprocedure, o.prstoken::oid::regprocedure, o.prsend::oid::regprocedure, nullif(o.prsheadline::oid, 0)::regprocedure, o.prslextype::oid::regprocedure)`,
    },
    `pg_ts_parser o JOIN pg_namespace n ON n.oid = o.prsnamespace WHERE ${ours('n')} AND ${notMember('pg_ts_parser', 'o.oid')}`,
  ),
  objects(
    { catalogs: ['pg_ts_template'] },
    'text search template',
    `format('%I.%I', n.nspname, o.tmplname)`,
    { functions: `concat_ws(', ', nullif(o.tmplinit::oid, 0)::regprocedure, o.tmpllexize::oid::regprocedure)` },
    `pg_ts_template o JOIN pg_namespace n ON n.oid = o.tmplnamespace WHERE ${ours('n')} AND ${notMember('pg_ts_template', 'o.oid')}`,
  ),
  objects(
    { catalogs: ['pg_extension'] },
    'extension',
    'quote_ident(o.extname)',
    { owner: 'o.extowner::regrole', version: 'o.extversion', schema: 'o.extnamespace::regnamespace' },
    'pg_extension o',
  ),
  objects(
    { catalogs: ['pg_language'] },
    'language',
    'quote_ident(o.lanname)',
    {
      owner: 'o.lanowner::regrole',
      privileges: privileges('o.lanacl', 'l', 'o.lanowner'),
      trusted: 'o.lanpltrusted',
      functions: `concat_ws(', ', nullif(o.lanplcallfoid, 0)::regprocedure, nullif(o.laninline, 0)::regprocedure, nullif(o.lanvalidator, 0)::regprocedure)`,
    },
    `pg_language o WHERE o.lanispl AND ${notMember('pg_language', 'o.oid')}`,
  ),
  objects(
    { catalogs: ['pg_transform'] },
    'transform',
    `format('%s language %I', o.trftype::regtype, l.lanname)`,
    {
      functions: `concat_ws(', ', 'from ' || nullif(o.trffromsql::oid, 0)::regprocedure::text, 'to ' || nullif(o.trftosql::oid, 0)::regprocedure::text)`,
    },
    `pg_transform o JOIN pg_language l ON l.oid = o.trflang WHERE ${notMember('pg_transform', 'o.oid')}`,
  ),
  objects(
    { catalogs: ['pg_am'] },
    'access method',
    'quote_ident(o.amname)',
    { type: 'o.amtype', handler: 'o.amhandler::oid::regprocedure' },
    `pg_am o WHERE ${made('o.oid')} AND ${notMember('pg_am', 'o.oid')}`,
  ),
  objects(
    { catalogs: ['pg_event_trigger'] },
    'event trigger',
    'quote_ident(o.evtname)',
    {
      owner: 'o.evtowner::regrole',
      event: 'o.evtevent',
      function: 'o.evtfoid::regprocedure',
      enabled: `nullif(o.evtenabled::text, 'O')`,
      tags: options('o.evttags'),
    },
    `pg_event_trigger o WHERE ${notMember('pg_event_trigger', 'o.oid')}`,
  ),
];

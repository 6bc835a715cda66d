import type { ObjectRef } from '../../../../src/risk/change.js';
import type { CreatedObject } from '../classify/created.js';
import { writeIdentifier } from '../classify/identifiers.js';
import { kindOf, objectRef } from '../classify/object-kinds.js';
import { bodiesOf, memberRef, rangeRef, refOf, textsOf } from '../classify/tree.js';
import type { Body, Handlers } from '../classify/tree.js';
import { advice, nameText, objectText } from './words.js';

type Hints = readonly string[];

/** DROP of what a CREATE statement made. */
export function dropCreated(created: CreatedObject): Hints {
  const text = objectText(created.ref);
  const lines: string[] = [];
  if (created.replaces) {
    lines.push(advice('OR REPLACE: if it existed before, put its previous definition back instead of dropping it.'));
  }
  if (created.mayExist) lines.push(advice('IF NOT EXISTS: drop it only if this migration really created it.'));
  return [...lines, `DROP ${text};`];
}

function recreate(body: Body<'DropStmt'>): Hints {
  const cascade = body.behavior === 'DROP_CASCADE' ? ', and whatever CASCADE took with it' : '';
  const rows = body.removeType === 'OBJECT_TABLE' ? '; its rows come only from a backup' : '';
  return (body.objects ?? [])
    .toReversed()
    .map((object) =>
      advice(`CREATE ${objectText(objectRef(body.removeType, object))} … (previous definition${cascade})${rows};`),
    );
}

/** How ALTER … RENAME words the thing renamed: "ALTER TABLE t RENAME COLUMN new TO old". */
function renameBack(body: Body<'RenameStmt'>): Hints {
  const newName = writeIdentifier(body.newname ?? '');
  const type = body.renameType;
  if (body.relation !== undefined && body.subname !== undefined) {
    const old = writeIdentifier(body.subname);
    const table = nameText(rangeRef(body.relation));
    if (type === 'OBJECT_TRIGGER' || type === 'OBJECT_POLICY' || type === 'OBJECT_RULE') {
      return [`ALTER ${kindOf(type).toUpperCase()} ${newName} ON ${table} RENAME TO ${old};`];
    }
    if (type === 'OBJECT_ATTRIBUTE') return [`ALTER TYPE ${table} RENAME ATTRIBUTE ${newName} TO ${old};`];
    const owner = type === 'OBJECT_COLUMN' ? kindOf(body.relationType).toUpperCase() : 'TABLE';
    const member = type === 'OBJECT_COLUMN' ? 'COLUMN' : 'CONSTRAINT';
    return [`ALTER ${owner} ${table} RENAME ${member} ${newName} TO ${old};`];
  }
  if (body.relation !== undefined) {
    const ref = rangeRef(body.relation, kindOf(type));
    return [`ALTER ${objectText({ ...ref, name: body.newname ?? '' })} RENAME TO ${writeIdentifier(ref.name)};`];
  }
  if (type === 'OBJECT_DOMCONSTRAINT') {
    const domain = nameText(objectRef('OBJECT_DOMAIN', body.object));
    return [`ALTER DOMAIN ${domain} RENAME CONSTRAINT ${newName} TO ${writeIdentifier(body.subname ?? '')};`];
  }
  const ref: ObjectRef =
    body.object === undefined ? { kind: kindOf(type), name: body.subname ?? '' } : objectRef(type, body.object);
  return [`ALTER ${objectText({ ...ref, name: body.newname ?? '' })} RENAME TO ${writeIdentifier(ref.name)};`];
}

function moveBack(body: Body<'AlterObjectSchemaStmt'>): Hints {
  const ref =
    body.relation === undefined
      ? objectRef(body.objectType, body.object)
      : rangeRef(body.relation, kindOf(body.objectType));
  const moved = objectText({ ...ref, schema: body.newschema ?? '' });
  if (ref.schema !== undefined) return [`ALTER ${moved} SET SCHEMA ${writeIdentifier(ref.schema)};`];
  return [advice(`ALTER ${moved} SET SCHEMA … (the schema it was found in);`)];
}

/** The keyword of GRANT … ON for an object class. */
function grantText(body: Body<'GrantStmt'>): string {
  const kind = kindOf(body.objtype).toUpperCase();
  const objects = (body.objects ?? []).map((object) => objectRef(body.objtype, object));
  if (body.targtype === 'ACL_TARGET_ALL_IN_SCHEMA') {
    return `ALL ${kind}S IN SCHEMA ${objects.map((ref) => nameText(ref)).join(', ')}`;
  }
  if (body.targtype === 'ACL_TARGET_DEFAULTS') return `${kind}S`;
  const names = objects.map((ref) => objectText(ref).slice(kind.length + 1));
  return `${kind} ${names.join(', ')}`;
}

function privilegeText(body: Body<'GrantStmt'>): string {
  const privileges = bodiesOf(body.privileges, 'AccessPriv').map((privilege) => {
    const columns = textsOf(privilege.cols).map(writeIdentifier);
    const name = (privilege.priv_name ?? 'all').toUpperCase();
    return columns.length === 0 ? name : `${name} (${columns.join(', ')})`;
  });
  return privileges.length === 0 ? 'ALL' : privileges.join(', ');
}

function roleText(role: Body<'RoleSpec'>): string {
  switch (role.roletype) {
    case 'ROLESPEC_PUBLIC':
      return 'PUBLIC';
    case 'ROLESPEC_CURRENT_USER':
      return 'CURRENT_USER';
    case 'ROLESPEC_CURRENT_ROLE':
      return 'CURRENT_ROLE';
    case 'ROLESPEC_SESSION_USER':
      return 'SESSION_USER';
    default:
      return writeIdentifier(role.rolename ?? '');
  }
}

function grantBack(body: Body<'GrantStmt'>, prefix = ''): Hints {
  const roles = bodiesOf(body.grantees, 'RoleSpec').map(roleText).join(', ');
  const what = `${privilegeText(body)} ON ${grantText(body)}`;
  return body.is_grant === true
    ? [advice('Leave out what a role had been granted before.'), `${prefix}REVOKE ${what} FROM ${roles};`]
    : [advice('Only where the role had it before.'), `${prefix}GRANT ${what} TO ${roles};`];
}

function uncomment(body: Body<'CommentStmt'>): Hints {
  return [
    advice('If it had a comment before, put that one back instead.'),
    `COMMENT ON ${objectText(objectRef(body.objtype, body.object))} IS NULL;`,
  ];
}

function alterDomain(body: Body<'AlterDomainStmt'>): Hints {
  const alter = `ALTER DOMAIN ${nameText(refOf('domain', textsOf(body.typeName)))}`;
  switch (body.subtype) {
    case 'N':
      return [`${alter} SET NOT NULL;`];
    case 'O':
      return [`${alter} DROP NOT NULL;`];
    case 'C': {
      const name = (body.def as { Constraint?: Body<'Constraint'> } | undefined)?.Constraint?.conname;
      return name === undefined
        ? [advice(`${alter} DROP CONSTRAINT … (look its name up with \\dD);`)]
        : [`${alter} DROP CONSTRAINT ${writeIdentifier(name)};`];
    }
    case 'T':
      return body.def === undefined
        ? [advice(`${alter} SET DEFAULT … (the previous one);`)]
        : [advice('If it had a default before, SET that one instead.'), `${alter} DROP DEFAULT;`];
    default:
      return [advice(`${alter} … (back to its previous definition);`)];
  }
}

function ownerBack(body: Body<'AlterOwnerStmt'>): Hints {
  const ref = body.relation === undefined ? objectRef(body.objectType, body.object) : rangeRef(body.relation);
  return [advice(`ALTER ${objectText(ref)} OWNER TO … (previous owner);`)];
}

/** Hints for statements about objects of every kind. */
export const objectHints: Handlers<Hints, undefined> = {
  DropStmt: recreate,
  RenameStmt: renameBack,
  AlterObjectSchemaStmt: moveBack,
  AlterOwnerStmt: ownerBack,
  GrantStmt: (body) => grantBack(body),
  GrantRoleStmt: (body) => {
    const granted = bodiesOf(body.granted_roles, 'AccessPriv').map((role) => writeIdentifier(role.priv_name ?? ''));
    const grantees = bodiesOf(body.grantee_roles, 'RoleSpec').map(roleText);
    return body.is_grant === true
      ? [`REVOKE ${granted.join(', ')} FROM ${grantees.join(', ')};`]
      : [`GRANT ${granted.join(', ')} TO ${grantees.join(', ')};`];
  },
  AlterDefaultPrivilegesStmt: (body) => {
    if (body.action === undefined) return [];
    if ((body.options ?? []).length > 0) {
      return [advice('ALTER DEFAULT PRIVILEGES … with the opposite of this, for the same roles and schemas;')];
    }
    return grantBack(body.action, 'ALTER DEFAULT PRIVILEGES ');
  },
  CommentStmt: uncomment,
  AlterEnumStmt: (body) => {
    const type = nameText(refOf('type', textsOf(body.typeName)));
    if (body.oldVal !== undefined) {
      return [`ALTER TYPE ${type} RENAME VALUE ${literal(body.newVal)} TO ${literal(body.oldVal)};`];
    }
    return [
      advice(
        `PostgreSQL cannot drop the value ${literal(body.newVal)} of ${type}. To take it back: create a type without it,`,
      ),
      advice('ALTER every column that uses it (TYPE … USING …::text::…), drop the old type, rename the new one.'),
    ];
  },
  AlterSeqStmt: (body) => [advice(`ALTER SEQUENCE ${nameText(rangeRef(body.sequence))} … (its previous options);`)],
  AlterDomainStmt: alterDomain,
  AlterPolicyStmt: (body) => [
    advice(
      `ALTER ${objectText(memberRef('policy', rangeRef(body.table), body.policy_name ?? ''))} … (previous definition);`,
    ),
  ],
  AlterFunctionStmt: (body) => [
    advice(
      `ALTER ${objectText(objectRef(body.objtype, body.func === undefined ? undefined : { ObjectWithArgs: body.func }))} … (its previous properties);`,
    ),
  ],
  AlterExtensionStmt: (body) => [
    advice(
      `An extension can rarely be taken back: ALTER EXTENSION ${writeIdentifier(body.extname ?? '')} UPDATE TO … (previous version);`,
    ),
  ],
  AlterSystemStmt: (body) =>
    body.setstmt?.name === undefined
      ? [advice('ALTER SYSTEM SET … (the previous values);')]
      : [
          advice(
            'If it was set in postgresql.auto.conf before, SET that value instead. Refuses to run in a transaction.',
          ),
          `ALTER SYSTEM RESET ${body.setstmt.name};`,
        ],
  AlterDatabaseSetStmt: (body) => [
    advice(`ALTER DATABASE ${writeIdentifier(body.dbname ?? '')} SET … (the previous value, or RESET);`),
  ],
  DropRoleStmt: () => [advice('CREATE ROLE … with its previous attributes, memberships and privileges;')],
};

function literal(text: string | undefined): string {
  return `'${(text ?? '').replaceAll("'", "''")}'`;
}

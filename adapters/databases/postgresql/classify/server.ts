import { lockLevels } from './impact.js';
import type { ImpactCollector } from './impact.js';
import { createdObject } from './created.js';
import { bodiesOf, rangeRef } from './tree.js';
import type { Handlers } from './tree.js';

function setting(impact: ImpactCollector): void {
  impact.change('session-setting');
}

/** Statements about the session, the transaction and the server as a whole. */
export const serverHandlers: Handlers<void, ImpactCollector> = {
  TransactionStmt: (body, impact) => {
    impact.change('transaction-control');
    impact.controlTransaction();
    if (body.kind === 'TRANS_STMT_COMMIT_PREPARED') impact.refuseTransaction('COMMIT PREPARED');
    if (body.kind === 'TRANS_STMT_ROLLBACK_PREPARED') impact.refuseTransaction('ROLLBACK PREPARED');
  },
  VariableSetStmt: (body, impact) => {
    setting(impact);
    // SET [SESSION CHARACTERISTICS AS] TRANSACTION changes the transaction's mode, not its extent.
    if (body.name !== undefined) impact.object({ kind: 'setting', name: body.name });
  },
  VariableShowStmt: (_body, impact) => {
    impact.change('query');
  },
  ConstraintsSetStmt: (_body, impact) => {
    setting(impact);
  },
  DiscardStmt: (body, impact) => {
    setting(impact);
    if (body.target === 'DISCARD_ALL') impact.refuseTransaction('DISCARD ALL');
  },
  ListenStmt: (_body, impact) => {
    setting(impact);
  },
  UnlistenStmt: (_body, impact) => {
    setting(impact);
  },
  NotifyStmt: (_body, impact) => {
    setting(impact);
  },
  LoadStmt: (_body, impact) => {
    setting(impact);
  },
  CheckPointStmt: (_body, impact) => {
    impact.change('maintenance');
  },
  LockStmt: (body, impact) => {
    setting(impact);
    const level = lockLevels[(body.mode ?? lockLevels.length) - 1] ?? 'ACCESS EXCLUSIVE';
    for (const range of bodiesOf(body.relations, 'RangeVar')) impact.lock(level, rangeRef(range));
  },
  AlterSystemStmt: (body, impact) => {
    impact.change('server-setting');
    if (body.setstmt?.name !== undefined) impact.object({ kind: 'setting', name: body.setstmt.name });
    impact.refuseTransaction('ALTER SYSTEM');
  },
  AlterDatabaseSetStmt: (body, impact) => {
    impact.change('server-setting');
    impact.object({ kind: 'database', name: body.dbname ?? '' });
  },
  AlterDatabaseStmt: (body, impact) => {
    impact.change('server-setting');
    impact.object({ kind: 'database', name: body.dbname ?? '' });
    const moves = bodiesOf(body.options, 'DefElem').some((option) => option.defname === 'tablespace');
    if (moves) impact.refuseTransaction('ALTER DATABASE SET TABLESPACE');
  },
  AlterRoleStmt: (_body, impact) => {
    impact.change('server-setting');
  },
  AlterRoleSetStmt: (_body, impact) => {
    impact.change('server-setting');
  },
  DropRoleStmt: (body, impact) => {
    impact.change('drop-object');
    for (const role of bodiesOf(body.roles, 'RoleSpec')) impact.drop({ kind: 'role', name: role.rolename ?? '' });
  },
  CreatedbStmt: (body, impact) => {
    const created = createdObject({ CreatedbStmt: body });
    impact.change('create-object');
    if (created !== undefined) impact.object(created.ref);
    impact.refuseTransaction('CREATE DATABASE');
  },
  DropdbStmt: (body, impact) => {
    impact.change('drop-object');
    impact.drop({ kind: 'database', name: body.dbname ?? '' });
    impact.lose('yes');
    impact.refuseTransaction('DROP DATABASE');
  },
  CreateTableSpaceStmt: (body, impact) => {
    impact.change('create-object');
    impact.object({ kind: 'tablespace', name: body.tablespacename ?? '' });
    impact.refuseTransaction('CREATE TABLESPACE');
  },
  DropTableSpaceStmt: (body, impact) => {
    impact.change('drop-object');
    impact.drop({ kind: 'tablespace', name: body.tablespacename ?? '' });
    impact.refuseTransaction('DROP TABLESPACE');
  },
};

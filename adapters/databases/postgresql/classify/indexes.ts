import type { ImpactCollector } from './impact.js';
import { switchOf } from './options.js';
import { bodiesOf, rangeRef } from './tree.js';
import type { Body, Handlers } from './tree.js';

function createIndex(body: Body<'IndexStmt'>, impact: ImpactCollector): void {
  const table = rangeRef(body.relation);
  impact.change('add-index');
  impact.work('scan');
  if (body.idxname !== undefined) {
    // An index always lies in its table's schema.
    impact.object({ ...rangeRef(body.relation, 'index'), name: body.idxname });
  }
  impact.object(table);
  impact.lock(body.concurrent === true ? 'SHARE UPDATE EXCLUSIVE' : 'SHARE', table);
  if (body.concurrent === true) impact.refuseTransaction('CREATE INDEX CONCURRENTLY');
}

function reindex(body: Body<'ReindexStmt'>, impact: ImpactCollector): void {
  const concurrent = switchOf(body.params, 'concurrently') === true;
  impact.change('maintenance');
  impact.work('scan');
  if (body.kind === 'REINDEX_OBJECT_INDEX') {
    const index = rangeRef(body.relation, 'index');
    impact.object(index);
    impact.lock(concurrent ? 'SHARE UPDATE EXCLUSIVE' : 'ACCESS EXCLUSIVE', index);
  } else if (body.kind === 'REINDEX_OBJECT_TABLE') {
    const table = rangeRef(body.relation);
    impact.object(table);
    impact.lock(concurrent ? 'SHARE UPDATE EXCLUSIVE' : 'SHARE', table);
  } else {
    const what = (body.kind ?? '').slice('REINDEX_OBJECT_'.length);
    impact.object({ kind: what.toLowerCase(), name: body.name ?? '' });
    impact.refuseTransaction(`REINDEX ${what}`);
  }
  if (concurrent) impact.refuseTransaction('REINDEX CONCURRENTLY');
}

function cluster(body: Body<'ClusterStmt'>, impact: ImpactCollector): void {
  impact.change('maintenance');
  impact.work('rewrite');
  if (body.relation === undefined) {
    impact.refuseTransaction('CLUSTER without a table name');
    return;
  }
  impact.object(rangeRef(body.relation));
  impact.lock('ACCESS EXCLUSIVE', rangeRef(body.relation));
}

function vacuum(body: Body<'VacuumStmt'>, impact: ImpactCollector): void {
  const full = body.is_vacuumcmd === true && switchOf(body.options, 'full') === true;
  impact.change('maintenance');
  impact.work(full ? 'rewrite' : 'scan');
  for (const relation of bodiesOf(body.rels, 'VacuumRelation')) {
    const table = rangeRef(relation.relation);
    impact.object(table);
    impact.lock(full ? 'ACCESS EXCLUSIVE' : 'SHARE UPDATE EXCLUSIVE', table);
  }
  if (body.is_vacuumcmd === true) impact.refuseTransaction('VACUUM');
}

/** Statements about indexes and upkeep of tables. */
export const indexHandlers: Handlers<void, ImpactCollector> = {
  IndexStmt: createIndex,
  ReindexStmt: reindex,
  ClusterStmt: cluster,
  VacuumStmt: vacuum,
  RefreshMatViewStmt: (body, impact) => {
    const view = rangeRef(body.relation, 'materialized view');
    impact.change('maintenance');
    impact.object(view);
    impact.lock(body.concurrent === true ? 'EXCLUSIVE' : 'ACCESS EXCLUSIVE', view);
    impact.work('rewrite');
  },
};

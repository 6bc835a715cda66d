import { readFileSync } from 'node:fs';
import type { Migration } from '../history/migration.js';
import type { Project } from '../project/project.js';
import { runsInTransaction } from '../scratch/apply-migrations.js';
import type { Fixtures } from '../scratch/fixtures.js';

/** Statements that change privileges or owners of relations without locking them. */
const grants = /\b(?:grant|revoke|owned)\b/i;

/** What changes the catalog in ways that are not watched: members of an extension, and the catalog written by hand. */
const unwatched =
  /\balter\s+extension\b|\ballow_system_table_mods\b|\b(?:update|delete\s+from|insert\s+into|merge\s+into)\s+(?:only\s+)?(?:"?pg_catalog"?\s*\.\s*)?"?pg_/i;

const serverObjects = /\bcreate\s+(?:role|user|group|database|tablespace)\b|\balter\s+system\b/i;

const definesRoutine = /\bcreate\b[^;]*\b(?:function|procedure)\b/i;

/** Whether the changes that this SQL makes are all found by watching its transaction. Pure. */
export function isWatchableText(sql: string): boolean {
  return !unwatched.test(sql);
}

/** Whether anything in the project may grant: also a routine that one migration makes and another calls. */
export function mayGrant(project: Project): boolean {
  return texts(project).some((text) => grants.test(text));
}

/** Whether the project may make what belongs to the whole server, and can be made once only. */
export function mayMakeServerObjects(project: Project): boolean {
  return texts(project).some((text) => serverObjects.test(text));
}

/** Tells of each version whether what it does can be watched. */
export function watchableVersions(project: Project): (migration: Migration) => boolean {
  const isRoutineUnwatched = texts(project).some((text) => !isWatchableText(text) && definesRoutine.test(text));
  const { config, toolbox } = project;
  const { dialect } = toolbox.database;
  const scripts = new Map(project.pairs.map(({ version, script }) => [version.key, script]));
  return (migration) => {
    const script = migration.version === undefined ? undefined : scripts.get(migration.version.key);
    return (
      migration.isSql &&
      script?.source !== 'function' &&
      !isRoutineUnwatched &&
      runsInTransaction(migration, config.tool, dialect.split(migration.sql).statements, toolbox) &&
      script?.transaction !== 'off' &&
      isWatchableText(migration.sql) &&
      isWatchableText(script?.text ?? '')
    );
  };
}

/** What ends plans that the server keeps; found by the bare word, in dynamic SQL too. */
const endsPlans = /\b(?:deallocate|discard)\b/i;

/** Whether nothing in the project ends plans that the server keeps for a session. */
export function keepsPlans(project: Project, fixtures: Fixtures): boolean {
  return ![...texts(project), ...[...fixtures.values()].map(({ sql }) => sql)].some((text) => endsPlans.test(text));
}

/** Of a program the SQL is somewhere in its source, or made of the same words. */
function texts({ migrations, pairs, functions }: Project): readonly string[] {
  return [
    ...migrations.migrations.map(({ isSql, file, sql }) =>
      isSql || functions === undefined ? sql : readFileSync(file, 'utf8'),
    ),
    ...pairs.flatMap(({ script }) => (script === undefined ? [] : [script.text])),
  ];
}

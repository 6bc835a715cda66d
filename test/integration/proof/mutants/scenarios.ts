import { access, alone, labels, memberships, sharedLabels } from './access.js';
import { columns } from './columns.js';
import { constraints } from './constraints.js';
import { indexes } from './indexes.js';
import { relations } from './relations.js';
import { replication } from './replication.js';
import { routines } from './routines.js';
import { stories } from './stories.js';
import { joined, numbered, scenariosOf, type Scenario } from './subject.js';
import { types } from './types.js';

const subjects = [
  ...relations,
  ...columns,
  ...constraints,
  ...indexes,
  ...routines,
  ...types,
  ...access,
  ...alone,
  ...labels,
  ...sharedLabels,
  ...memberships,
  ...replication,
];

/**
 * Roles that scenarios grant to and give things to, and a tablespace in the server's own folder; made once for each server,
 * outside of any transaction.
 */
export const serverWide: readonly string[] = [
  'CREATE ROLE mutant_reader; CREATE ROLE mutant_writer; CREATE ROLE mutant_super SUPERUSER',
  'SET allow_in_place_tablespaces = on',
  `CREATE TABLESPACE mutant_space LOCATION ''`,
];

/** Those that need a database of their own. */
export function scenariosAlone(major: number): readonly Scenario[] {
  return allFor(major)
    .filter(({ alone }) => alone === true)
    .map((scenario) => ({ ...scenario, before: joined('CREATE SCHEMA app', scenario.before) }));
}

/** Every other scenario that this major can play, each with a schema and names of its own: app<first>, and on from there. */
export function scenariosFor(major: number, first = 1): readonly Scenario[] {
  return allFor(major)
    .filter(({ alone }) => alone === undefined)
    .map((scenario, at) => {
      const own = (text: string): string => numbered(text, first + at);
      return {
        ...scenario,
        before: own(joined('CREATE SCHEMA app', scenario.before)),
        up: own(scenario.up),
        faithful: own(scenario.faithful),
        faulty: own(scenario.faulty),
        named: own(scenario.named),
      };
    });
}

function allFor(major: number): readonly Scenario[] {
  return [...subjects.flatMap(scenariosOf), ...stories].filter(({ from, until }) => from <= major && major <= until);
}

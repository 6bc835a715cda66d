/*
 * Faulty rollbacks, made from short descriptions of what a migration can create and change. Each comes with its faithful
 * twin: the same migration with a rollback that restores everything.
 */

/** A kind of thing that migrations create, and what can be set on it. SQL names begin with "app", a schema of its own. */
export interface Subject {
  /** As the judge calls it. */
  readonly kind: string;
  /** As the judge names it. */
  readonly name: string;
  /** What must be there first; both the migration and its rollback leave it alone. */
  readonly needs?: string;
  readonly create: string;
  readonly drop: string;
  readonly properties?: readonly Property[];
  /** What stands between ALTER and OWNER TO, where it has an owner. */
  readonly owner?: string;
  /** Privilege and what it is granted on: ['SELECT', 'TABLE app.t']. */
  readonly grant?: readonly [privilege: string, on: string];
  /** What stands after COMMENT ON, and how the judge names that comment. */
  readonly comment?: readonly [on: string, named: string];
  /** Oldest and newest major that has it. */
  readonly from?: number;
  readonly until?: number;
  /** Its name cannot carry a number, so it needs a database of its own. */
  readonly alone?: true;
}

/** Something that can be set on a subject and taken off again. */
export interface Property {
  readonly what: string;
  readonly set: string;
  readonly unset: string;
  /** The object that is there only while this is set; undefined: the subject itself is another one then. */
  readonly named?: string;
  /** The object that is another one while this is set, where it is not the subject. */
  readonly changes?: string;
  /** Makes the subject with this at once; undefined: by making it as usual and setting this. */
  readonly make?: string;
  readonly from?: number;
}

export type Fault = 'left behind' | 'lost' | 'changed';

/** One migration with a faithful and a faulty rollback. */
export interface Scenario {
  readonly title: string;
  readonly fault: Fault;
  /** What is there before the migration. */
  readonly before: string;
  readonly up: string;
  readonly faithful: string;
  readonly faulty: string;
  /** "kind name" of the object that the proof of the faulty rollback must name, and how it must say that it differs. */
  readonly named: string;
  readonly change: 'missing' | 'left-over' | 'different' | 'rows';
  /** Grade of the faithful rollback: exact unless the server cannot do better. */
  readonly grade?: 'exact' | 'column-order' | 'residue';
  /** Grade of the faulty one where it is a single one; undefined: different or data-lost. */
  readonly caught?: 'residue';
  readonly alone?: true;
  readonly from: number;
  readonly until: number;
}

/** A rollback that forgets what it should do; flyback refuses to plan one that only asks questions. */
export const nothing = 'DO $$ BEGIN PERFORM 1; END $$';

type Extra = Pick<Property, 'named' | 'changes' | 'make' | 'from'>;

/** A property that one statement sets and another takes off. */
export function set(what: string, on: string, off: string, extra: Extra = {}): Property {
  return { what, set: on, unset: off, ...extra };
}

/** The scenarios of one subject: itself left behind and lost; each property left behind, and lost when it is made anew. */
export function scenariosOf(subject: Subject): readonly Scenario[] {
  const { kind, name, needs = '', create, drop, from = 0, until = Infinity } = subject;
  const own = `${kind} ${name}`;
  const made = joined(needs, create);
  const scenarios: Scenario[] = [
    {
      title: `${own}: left behind`,
      fault: 'left behind',
      before: needs,
      up: create,
      faithful: drop,
      faulty: nothing,
      named: own,
      change: 'left-over',
      from,
      until,
    },
    {
      title: `${own}: lost`,
      fault: 'lost',
      before: made,
      up: drop,
      faithful: create,
      faulty: nothing,
      named: own,
      change: 'missing',
      from,
      until,
    },
  ];
  for (const property of propertiesOf(subject)) {
    const named = property.named ?? property.changes ?? own;
    const comesAndGoes = property.named !== undefined;
    const majors = { from: Math.max(from, property.from ?? 0), until };
    const more = property.make ?? joined(create, property.set);
    scenarios.push(
      {
        title: `${own}, ${property.what}: left behind`,
        fault: comesAndGoes ? 'left behind' : 'changed',
        before: made,
        up: property.set,
        faithful: property.unset,
        faulty: nothing,
        named,
        change: comesAndGoes ? 'left-over' : 'different',
        ...majors,
      },
      {
        title: `${own}, ${property.what}: lost when it is made anew`,
        fault: comesAndGoes ? 'lost' : 'changed',
        before: joined(needs, more),
        up: drop,
        faithful: more,
        faulty: create,
        named,
        change: comesAndGoes ? 'missing' : 'different',
        ...majors,
      },
    );
  }
  return subject.alone === undefined ? scenarios : scenarios.map((scenario) => ({ ...scenario, alone: true }));
}

function propertiesOf({ properties = [], owner, grant, comment }: Subject): readonly Property[] {
  const all = [...properties];
  if (owner !== undefined) {
    all.push(set('owner', `ALTER ${owner} OWNER TO mutant_writer`, `ALTER ${owner} OWNER TO CURRENT_USER`));
  }
  if (grant !== undefined) {
    const [privilege, on] = grant;
    all.push(
      set(
        'privileges',
        `GRANT ${privilege} ON ${on} TO mutant_reader`,
        `REVOKE ${privilege} ON ${on} FROM mutant_reader`,
      ),
      set(
        'grant option',
        `GRANT ${privilege} ON ${on} TO mutant_reader WITH GRANT OPTION`,
        `REVOKE ${privilege} ON ${on} FROM mutant_reader`,
      ),
    );
  }
  if (comment !== undefined) {
    const [on, named] = comment;
    all.push(
      set('comment', `COMMENT ON ${on} IS 'words'`, `COMMENT ON ${on} IS NULL`, { named: `comment on ${named}` }),
    );
  }
  return all;
}

export function joined(...statements: readonly string[]): string {
  return statements.filter((statement) => statement !== '').join(';\n');
}

/** The SQL of a scenario with a schema and names of its own, so that many can stand in one database. */
export function numbered(text: string, number: number): string {
  return text.replaceAll(/\bapp(?=_|\b)/g, `app${number}`).replaceAll(/\bLOID\b/g, String(largeObject(number)));
}

/** The id of the large object that a scenario calls LOID. */
export function largeObject(number: number): number {
  return 7_700_000 + number;
}

/** The number of the scenario that a text speaks of; undefined when it speaks of none. */
export function numberIn(text: string): number | undefined {
  const found = /\bapp(\d+)|\b77(\d{5})\b/.exec(text);
  return found === null ? undefined : Number(found[1] ?? found[2]);
}

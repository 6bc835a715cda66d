/** What pg_dump sees and flyback does not: a change, and why it goes unseen. */
export const unseen: readonly {
  readonly title: string;
  readonly before: string;
  readonly up: string;
  readonly reason: string;
}[] = [
  {
    title: 'the connection of a subscription',
    before: `CREATE SUBSCRIPTION app_sub CONNECTION 'host=one' PUBLICATION news WITH (connect = false, slot_name = NONE)`,
    up: `ALTER SUBSCRIPTION app_sub CONNECTION 'host=two'`,
    reason: 'It may hold a password, and only a superuser may read it.',
  },
  {
    title: 'the password of a role',
    before: 'CREATE ROLE app_role',
    up: `ALTER ROLE app_role PASSWORD 'one'`,
    reason: 'Only a superuser may read it, and the same password is stored otherwise each time.',
  },
];

/** What flyback sees and pg_dump does not: titles of the faulty rollbacks that pg_dump lets pass, and why. */
export const blindSpots: readonly {
  readonly titles: RegExp;
  readonly reason: string;
  readonly from?: number;
  readonly until?: number;
}[] = [
  {
    titles: /^foreign key triggers app\.t: /,
    reason: 'pg_dump writes the state of triggers that a person made, not of the ones behind foreign keys.',
  },
  {
    titles: /^table app\.p1, detachment that was interrupted: /,
    reason: 'pg_dump writes a partition whose detachment was interrupted like any other.',
  },
  {
    titles: /^language app_lang, (trust|inline handler|validator): /,
    reason: "pg_dump leaves out what a language consists of when its handler is one of the server's own functions.",
  },
];

/** What is the same to flyback and not to pg_dump: titles of the faithful rollbacks that pg_dump refuses, and why. */
export const tooStrict: readonly { readonly titles: RegExp; readonly reason: string }[] = [
  {
    titles: /^the sequence of a column that starts again$/,
    reason: 'pg_dump tells "2 was given" from "3 comes next"; flyback compares what a sequence gives next.',
  },
];

import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { loadClassifier } from '../../../../../adapters/databases/postgresql/classifier.js';
import { plainDrop } from '../../../../../adapters/databases/postgresql/classify/plain-drop.js';
import type { Classifier } from '../../../../../src/adapter/database.js';

const names = [
  't',
  'orders_2',
  '_x',
  'Mixed',
  'user',
  'table',
  'select',
  'between',
  'cascade',
  'only',
  'a'.repeat(63),
  'a'.repeat(64),
];
const statements = ['TABLE', 'index', 'View'].flatMap((kind) =>
  ['', 'IF EXISTS ', 'if\n  exists '].flatMap((guard) =>
    names.flatMap((name) =>
      ['', 'app.', 'User.', 'pg_catalog.'].flatMap((schema) =>
        ['', ' CASCADE', '\n restrict', ' cascade '].map((ending) => `DROP ${kind} ${guard}${schema}${name}${ending}`),
      ),
    ),
  ),
);

describe('plainDrop', () => {
  let classifier: Classifier;
  beforeAll(async () => {
    classifier = await loadClassifier();
  });

  it('answers as the parser does, or not at all', () => {
    const answered = statements.filter((statement) => plainDrop(statement) !== undefined);
    expect(answered.length).toBeGreaterThan(300);
    for (const statement of answered)
      expect([statement, plainDrop(statement)]).toEqual([statement, classifier.classify(statement)]);
  });

  it.each([
    'DROP TABLE a, b',
    'DROP TABLE "a"',
    'DROP TABLE a -- why',
    'DROP TABLE a /* why */',
    'DROP INDEX CONCURRENTLY a',
    'DROP TABLE a; DROP TABLE b',
    'DROP TABLE a.b.c',
    'DROP TABLE user',
    'DROP MATERIALIZED VIEW a',
    'DROP TABLE größe',
    'TRUNCATE a',
    '',
  ])('leaves to the parser: %s', (statement) => {
    expect(plainDrop(statement)).toBeUndefined();
  });

  it('never answers where the parser refuses', () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom('DROP', 'TABLE', 'INDEX', 'IF', 'EXISTS', 'x', 'CASCADE', '.', ' ', '\n', 'y'), {
          maxLength: 9,
        }),
        (words) => {
          const text = `DROP ${words.join(' ')}`.trim();
          const answer = plainDrop(text);
          if (answer !== undefined) expect(answer).toEqual(classifier.classify(text));
        },
      ),
      { numRuns: 2000 },
    );
  });
});

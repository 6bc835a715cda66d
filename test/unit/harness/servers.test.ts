import { expect, test } from 'vitest';
import { chosenMajors } from '../../harness/servers.js';

test('the oldest and the newest major are tested by default, and all of them in CI', () => {
  expect(chosenMajors({})).toEqual([14, 18]);
  expect(chosenMajors({ CI: 'true' })).toEqual([14, 15, 16, 17, 18]);
  expect(chosenMajors({ CI: 'false' })).toEqual([14, 18]);
});

test('FLYBACK_TEST_MAJORS decides, in CI too', () => {
  expect(chosenMajors({ FLYBACK_TEST_MAJORS: '16, 17', CI: 'true' })).toEqual([16, 17]);
  expect(chosenMajors({ FLYBACK_TEST_MAJORS: 'all' })).toEqual([14, 15, 16, 17, 18]);
});

test.each(['', 'newest', '14,,18', '-1', '14.5'])('the list %j is refused rather than testing nothing', (list) => {
  expect(() => chosenMajors({ FLYBACK_TEST_MAJORS: list })).toThrow('FLYBACK_TEST_MAJORS must list major versions');
});

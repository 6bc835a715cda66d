import { describe, expect, it } from 'vitest';
import { areas, catalogue, completeDiagnosis, notChecked, problemOf } from '../../../src/doctor/check.js';
import { FlybackError } from '../../../src/errors/error.js';

const names = areas.flatMap((area) => catalogue[area]);

describe('a diagnosis', () => {
  it('has every check of the catalogue once, in its order, with a reason where nothing was found out', () => {
    const { checks, counts } = completeDiagnosis([{ check: 'clock', result: 'ok', message: 'fine' }], 'nobody asked.');
    expect(checks.map(({ check }) => check)).toEqual(names);
    expect(new Set(names).size).toBe(names.length);
    expect(checks.find(({ check }) => check === 'clock')).toMatchObject({ area: 'connection', result: 'ok' });
    expect(checks.filter(({ message }) => message === 'Not checked: nobody asked.')).toHaveLength(names.length - 1);
    expect(counts).toEqual({ ok: 1, warning: 0, problem: 0, 'not-checked': names.length - 1 });
  });

  it('has no line for what means nothing on a database', () => {
    const { checks, counts } = completeDiagnosis([], 'nobody asked.', new Set(['clock', 'gtid']));
    expect(checks.map(({ check }) => check)).toEqual(names.filter((name) => name !== 'clock' && name !== 'gtid'));
    expect(counts['not-checked']).toBe(names.length - 2);
  });

  it('keeps what was found out first', () => {
    const first = { check: 'history', result: 'problem', message: 'gone' } as const;
    const { checks } = completeDiagnosis([first, notChecked('history', 'later')], '');
    expect(checks.find(({ check }) => check === 'history')).toMatchObject(first);
  });
});

it('an error becomes a problem with its own words and all of its findings', () => {
  const finding = { code: 'url-invalid', severity: 'error', subject: 'url', message: 'It is no URL.' } as const;
  const error = new FlybackError('config-invalid', 'Two problems.', { hint: 'Correct both.', findings: [finding] });
  expect(problemOf('configuration', error)).toEqual({
    check: 'configuration',
    result: 'problem',
    message: 'Two problems.',
    hint: 'Correct both.',
    details: ['url-invalid: It is no URL.'],
  });
});

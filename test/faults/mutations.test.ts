import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { buildChanged, type Build } from './mutations/build.js';
import { mutations, scenarios } from './mutations/mutations.js';

/*
 * Builds of flyback that are broken on purpose: the scenarios must notice each, and find nothing wrong with the unbroken
 * one. A scenario that never says no proves nothing.
 */

describe('the unbroken build', () => {
  let unbroken: Build;
  beforeAll(async () => {
    unbroken = await buildChanged([]);
  });
  afterAll(() => unbroken.remove());

  test.concurrent.each(Object.entries(scenarios))('%s: nothing is wrong', async (_title, scenario) => {
    expect((await scenario(unbroken.cli)).wrong).toEqual([]);
  });
});

test.concurrent.each(mutations)('$title: $scenario', async ({ title, changes, scenario }) => {
  const broken = await buildChanged(changes);
  try {
    const { wrong } = await scenarios[scenario](broken.cli);
    console.log(`${title}: ${wrong[0]?.split('\n')[0] ?? 'NOT NOTICED'}`);
    expect(wrong).not.toEqual([]);
  } finally {
    await broken.remove();
  }
});

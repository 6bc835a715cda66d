import { defineConfig } from 'vitest/config';

/** How long a full run of the faults may take. What has not been tried by then counts as failed. */
const faultsBoundMs = 15 * 60_000;

export default defineConfig(({ mode }) => {
  const isFull = mode === 'full' || mode === 'full-mysql';
  return {
    test: {
      projects: [
        {
          test: {
            name: 'unit',
            sequence: { groupOrder: 0 },
            include: ['test/unit/**/*.test.ts'],
            testTimeout: 10_000,
          },
        },
        {
          test: {
            name: 'integration',
            sequence: { groupOrder: 1 },
            include: ['test/integration/**/*.test.ts'],
            globalSetup: ['test/harness/global-setup.ts'],
            testTimeout: 60_000,
            hookTimeout: 120_000,
            // Files compete for the same servers and a JVM; more at once makes lock waits look like failures.
            maxWorkers: 2,
          },
        },
        {
          test: {
            name: 'e2e',
            sequence: { groupOrder: 2 },
            include: ['test/e2e/**/*.test.ts'],
            globalSetup: ['test/harness/global-setup.ts'],
            testTimeout: 120_000,
            hookTimeout: 120_000,
            maxWorkers: 2,
          },
        },
        {
          test: {
            name: 'faults',
            sequence: { groupOrder: 3 },
            include: [mode === 'full-mysql' ? 'test/faults/mysql/*.test.ts' : 'test/faults/**/*.test.ts'],
            exclude: ['test/faults/mutations.test.ts', ...(mode === 'full' ? ['test/faults/mysql/**'] : [])],
            globalSetup: ['test/faults/memory.ts', 'test/harness/global-setup.ts'],
            env: isFull ? { FLYBACK_FAULTS_DEADLINE: String(Date.now() + faultsBoundMs) } : {},
            // A test is hundreds of runs, several under way at once; a full run is ended by its own bound.
            testTimeout: isFull ? faultsBoundMs + 120_000 : 600_000,
            hookTimeout: 120_000,
            // The races mostly wait; while they do, the others have the processors.
            maxWorkers: 3,
          },
        },
        // Builds of flyback that are broken on purpose.
        ...(mode === 'mutations' || process.env['CI'] !== undefined
          ? [
              {
                test: {
                  name: 'mutations',
                  sequence: { groupOrder: 4 },
                  include: ['test/faults/mutations.test.ts'],
                  globalSetup: ['test/faults/memory.ts', 'test/harness/global-setup.ts'],
                  testTimeout: 600_000,
                  hookTimeout: 120_000,
                  maxWorkers: 1,
                },
              },
            ]
          : []),
      ],
    },
  };
});

import { defineConfig } from 'vitest/config';

const shared = { environment: 'node', setupFiles: ['test/setup.ts'], testTimeout: 20_000 };

export default defineConfig({
  test: {
    projects: [
      { test: { ...shared, name: 'unit', include: ['test/*.test.{ts,tsx}', 'test/forms/*.test.tsx'] } },
      {
        test: {
          ...shared,
          // Against the contracts of contracts/, on a chain of anvil's that the set-up starts.
          name: 'contracts',
          include: ['test/csm/*.test.ts'],
          globalSetup: ['test/csm/anvil.ts'],
          // One chain for all: what a test leaves behind would disturb another one.
          fileParallelism: false,
          testTimeout: 120_000,
        },
      },
    ],
  },
});

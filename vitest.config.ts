import { defineConfig } from 'vitest/config';

// unit: pure code, no process, no socket beyond loopback fakes. contract: one suite per contract, run by every
// implementation. integration: real nginx, Consul, Redis, etcd. Whole-program acceptance tests are TAP (test/acceptance).
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: ['test/**/*.integration.test.ts', 'test/contract/**', 'test/acceptance/**'],
          testTimeout: 10_000,
        },
      },
      {
        test: {
          name: 'contract',
          include: ['test/contract/**/*.test.ts'],
          testTimeout: 30_000,
          hookTimeout: 120_000,
        },
      },
      {
        test: {
          name: 'integration',
          include: ['test/**/*.integration.test.ts'],
          testTimeout: 60_000,
          hookTimeout: 120_000,
          fileParallelism: false,
        },
      },
    ],
  },
});

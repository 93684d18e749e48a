import { defineConfig } from 'vitest/config';

// A busy machine takes its time; what is polled for still has to come.
const expect = { poll: { timeout: 10_000 } };

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
          testTimeout: 20_000,
          expect,
        },
      },
      {
        test: {
          name: 'contract',
          include: ['test/contract/**/*.test.ts'],
          testTimeout: 30_000,
          hookTimeout: 120_000,
          expect,
        },
      },
      {
        test: {
          name: 'integration',
          include: ['test/**/*.integration.test.ts'],
          testTimeout: 60_000,
          hookTimeout: 120_000,
          fileParallelism: false,
          expect,
        },
      },
    ],
  },
});

import { defineConfig } from "vitest/config"

const project = (name: string, testTimeout: number, options: object = {}) => ({
  test: { name, include: [`test/${name}/**/*.test.ts`], testTimeout, hookTimeout: testTimeout, ...options },
})

/** Of the projects that start engines. */
const globalSetup = "test/support/engines/runFolder.ts"

export default defineConfig({
  test: {
    projects: [
      project("unit", 10_000),
      // Three files at a time on two cores: each has engines of its own, and half of its time is waiting for a limit.
      project("integration", 60_000, { globalSetup, maxWorkers: 3 }),
      // One file at a time: each starts the whole system, and the figures of a test must not depend on a neighbour.
      project("e2e", 120_000, { globalSetup, fileParallelism: false }),
      // Run by `npm run test:ship` alone: building an image takes minutes, and needs programs that the others do not.
      project("ship", 600_000, { globalSetup, fileParallelism: false }),
      project("faults", 180_000, { globalSetup, fileParallelism: false }),
    ],
  },
})

import { defineConfig } from 'vitest/config'

/** Tests that look at a process as a whole: its memory, handles, signals, or one that they start. The rest share theirs. */
const whole = ['browser', 'cli', 'demo', 'faults', 'platform', 'scale'].map((room) => `test/${room}/**/*.test.ts`)
const patience = {
  testTimeout: 60_000,
  hookTimeout: 60_000,
  expect: { poll: { timeout: 20_000, interval: 10 } },
}

export default defineConfig({
  test: {
    globalSetup: ['test/support/programs.ts', 'test/support/postgres.ts'],
    // One more than the cores of a small machine: much of a test is waiting.
    maxWorkers: 3,
    projects: [
      { test: { name: 'whole', include: whole, ...patience } },
      { test: { name: 'shared', include: ['test/**/*.test.ts'], exclude: whole, isolate: false, ...patience } },
    ],
  },
})

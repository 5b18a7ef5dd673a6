import { test } from 'vitest'
import { short } from './kit/plan.js'
import { expectPromisesKept, longestShortRunMs, someSeed } from './kit/short-form.js'

test(
  'two processes on PostgreSQL and Redis keep every promise through kills, pauses, and stores and networks that fail',
  { timeout: longestShortRunMs },
  () => expectPromisesKept(7, 'redis', { ...short, faults: 8 }),
)

const seed = someSeed()
test(`and through faults that nobody chose (seed ${seed})`, { timeout: longestShortRunMs }, () =>
  expectPromisesKept(seed, 'redis', { ...short, faults: 4 }),
)

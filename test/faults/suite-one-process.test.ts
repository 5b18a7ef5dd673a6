import { test } from 'vitest'
import { short } from './kit/plan.js'
import { expectPromisesKept, longestShortRunMs, someSeed } from './kit/short-form.js'

test(
  'one process with its own PostgreSQL keeps every promise through kills, pauses, and stores and networks that fail',
  { timeout: longestShortRunMs },
  () => expectPromisesKept(4, 'one process', { ...short, faults: 8 }),
)

const seed = someSeed()
test(`and through faults that nobody chose (seed ${seed})`, { timeout: longestShortRunMs }, () =>
  expectPromisesKept(seed, 'one process', { ...short, faults: 4 }),
)

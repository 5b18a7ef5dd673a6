import { test } from 'vitest'
import { shorter } from './kit/plan.js'
import { expectPromisesKept, longestShortRunMs, someSeed } from './kit/short-form.js'

test.concurrent(
  'two processes on PostgreSQL and Redis keep every promise through kills, pauses, and stores and networks that fail',
  { timeout: longestShortRunMs },
  () => expectPromisesKept(7, 'redis'),
)

const seed = someSeed()
test.concurrent(`and through faults that nobody chose (seed ${seed})`, { timeout: longestShortRunMs }, () =>
  expectPromisesKept(seed, 'redis', shorter),
)

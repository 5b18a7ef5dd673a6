import { test } from 'vitest'
import { Disk } from './kit/disk.js'
import { shorter } from './kit/plan.js'
import { expectPromisesKept, longestShortRunMs, someSeed } from './kit/short-form.js'

test(
  'one process with its own PostgreSQL keeps every promise through kills, pauses, and stores and networks that fail',
  { timeout: longestShortRunMs },
  () => expectPromisesKept(2086, 'one process'),
)

const seed = someSeed()
test(`and through faults that nobody chose (seed ${seed})`, { timeout: longestShortRunMs }, () =>
  expectPromisesKept(seed, 'one process', shorter),
)

test.skipIf(!(await Disk.canMount()))(
  'and through a full disk (needs root, who may mount a small one)',
  { timeout: longestShortRunMs },
  () => expectPromisesKept(4, 'one process', shorter, ['disk full']),
)

import { capacity } from './capacity/main.js'
import { endToEnd } from './end-to-end/main.js'
import { intake } from './intake/main.js'
import { polling } from './polling/main.js'
import { start } from './start/main.js'
import type { Suite } from './suite.js'
import { limits, sending } from './sync/main.js'

/** In the order of the data. */
export const suites: Readonly<Record<string, Suite>> = {
  intake,
  start,
  polling,
  sending,
  limits,
  'end-to-end': endToEnd,
  capacity,
}

import type { Suite } from './suite.js'
import { sync } from './sync/main.js'

/** In the order of the data. */
export const suites: Readonly<Record<string, Suite>> = { sync }

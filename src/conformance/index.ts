/** What vendors run in their own tests, and what `bgc vendor check` runs. */
export { conformanceChecks } from './list.js'
export type { ConformanceOptions, HttpVendorToCheck } from './options.js'
export type { CheckOutcome, CheckResult } from './result.js'
export { runConformance } from './run.js'

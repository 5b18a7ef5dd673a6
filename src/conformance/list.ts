import type { Check } from './check.js'
import { cancelingChecks } from './checks/canceling.js'
import { connectionChecks } from './checks/connection.js'
import { agreementChecks, changesChecks } from './checks/feeds.js'
import { accountChecks, placingChecks } from './checks/placing.js'
import { readingChecks } from './checks/reading.js'
import { reportChecks } from './checks/reports.js'
import { stageChecks } from './checks/stages.js'
import { cleaningUp, wholeChecks } from './checks/whole.js'

/** In the order in which they run: the order is canceled when all others have looked at it. */
const beforeCleaning: readonly Check[] = [
  ...connectionChecks,
  ...accountChecks,
  ...placingChecks,
  ...readingChecks,
  ...changesChecks,
  ...agreementChecks,
  ...stageChecks,
  ...reportChecks,
  ...cancelingChecks,
  ...wholeChecks,
]

/** Every check by its name, with its claim and where docs/vendor-api.md has what it expects. */
export const conformanceChecks: ReadonlyArray<Readonly<Pick<Check, 'name' | 'about' | 'see'>>> = [
  ...beforeCleaning,
  cleaningUp,
]

/** Throws when a name is not one of a check. */
export function checksFor(only: readonly string[] | undefined): readonly Check[] {
  if (only === undefined) return beforeCleaning
  const unknown = only.filter((name) => !conformanceChecks.some((check) => check.name === name))
  if (unknown.length > 0) throw new Error(`there is no check ${unknown.join(', ')}; docs/vendor-check.md lists them`)
  return beforeCleaning.filter(({ name }) => only.includes(name))
}

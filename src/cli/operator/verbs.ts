import type { Verb } from './verb.js'
import { accountVerbs } from './verbs/accounts.js'
import { auditVerbs } from './verbs/audit.js'
import { catalogVerbs } from './verbs/catalog.js'
import { deliveryVerbs } from './verbs/deliveries.js'
import { eventVerbs } from './verbs/events.js'
import { findingVerbs } from './verbs/findings.js'
import { holdVerbs } from './verbs/holds.js'
import { orderVerbs } from './verbs/orders.js'
import { sweepVerbs } from './verbs/sweeps.js'

export const verbs: readonly Verb[] = [
  ...orderVerbs,
  ...deliveryVerbs,
  ...eventVerbs,
  ...accountVerbs,
  ...catalogVerbs,
  ...holdVerbs,
  ...findingVerbs,
  ...sweepVerbs,
  ...auditVerbs,
]

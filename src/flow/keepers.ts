import type { Sealer } from '../platform/crypto/sealer.js'
import { createAgreementKeepers } from './agreements/keepers.js'
import { formKeeper } from './catalog/binding-form/settled.js'
import { catalogKeeper } from './catalog/settled.js'
import type { Keepers } from './outbox/keepers.js'

/** The rooms that send to Feishu what belongs to no order, each with its own lanes. */
export function createKeepers(sealer: Sealer): Keepers {
  return [...createAgreementKeepers(sealer), catalogKeeper(sealer), formKeeper(sealer)]
}

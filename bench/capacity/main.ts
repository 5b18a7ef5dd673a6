import type { Form, Suite } from '../suite.js'
import type { Stores } from '../support/stores.js'
import { sections } from './sections.js'
import { sizeUp } from './size-up.js'

export const capacity: Suite = {
  title: 'Capacity: what an order weighs',
  about: `Checks that live their whole life between a sandbox Feishu and a sandbox vendor: placed, polled, two stages, a result. What is left in
PostgreSQL and Redis after them, divided by their number. These figures do not depend on how fast the machine is.`,
  run: async (form: Form, stores: Stores) => sections(await sizeUp(stores, form === 'full' ? 400 : 40)),
}

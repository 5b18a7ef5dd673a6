import type { Form, Suite } from '../suite.js'
import type { Stores } from '../support/stores.js'
import { rush } from './rush.js'
import { full, quick } from './settings.js'
import { steady } from './steady.js'

export const endToEnd: Suite = {
  title: 'End to end: from the event to the result in Feishu',
  about: `The service as one compiled process of each role, PostgreSQL and Redis, between the strict sandboxes of Feishu and of a vendor.
Times are those of the sandboxes' journals.`,
  run: async (form: Form, stores: Stores) => {
    const settings = form === 'full' ? full : quick
    return [await steady(stores, settings), await rush(stores, settings)]
  },
}

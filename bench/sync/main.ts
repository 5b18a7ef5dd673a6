import type { Form, Suite } from '../suite.js'
import type { Section } from '../support/report.js'
import type { Stores } from '../support/stores.js'
import { changes } from './changes.js'
import { limiters } from './limiters.js'
import { manyTenants } from './many-tenants.js'
import { noisyNeighbour } from './noisy-neighbour.js'
import { oneTenant } from './one-tenant.js'
import { full, quick, type Settings } from './settings.js'

type Part = (stores: Stores, settings: Settings) => Promise<Section | Section[]>

/** In the order of the report; `manyTenants` measures (e) on the way. */
const parts: Readonly<Record<Form, readonly Part[]>> = {
  full: [oneTenant, manyTenants, noisyNeighbour, limiters],
  // A few seconds of stages have no p99.
  quick: [oneTenant, manyTenants, limiters],
}

export const sync: Suite = {
  title: 'To Feishu: at the limit, side by side',
  about: `Windows: ${full.short.limit} in ${full.short.windowMs / 1000} s and ${full.long.limit} in ${full.long.windowMs / 1000} s.`,
  run: async (form: Form, stores: Stores) => {
    const sections: Section[] = []
    for (const part of parts[form]) sections.push(...[await part(stores, form === 'quick' ? quick : full)].flat())
    return [...sections, changes]
  },
}

import type { Suite } from '../suite.js'
import { changes } from './changes.js'
import { limiters } from './limiters.js'
import { manyTenants } from './many-tenants.js'
import { noisyNeighbour } from './noisy-neighbour.js'
import { oneTenant } from './one-tenant.js'
import { full, quick } from './settings.js'

const windows = `Windows: ${full.short.limit} in ${full.short.windowMs / 1000} s and ${full.long.limit} in ${full.long.windowMs / 1000} s.`

export const sending: Suite = {
  title: 'To Feishu: many tenants',
  about: windows,
  run: async (form, stores) => [...(await manyTenants(stores, form === 'quick' ? quick : full)), changes],
}

export const limits: Suite = {
  title: 'To Feishu: at the limit, side by side',
  about: windows,
  run: async (form, stores) => {
    const settings = form === 'quick' ? quick : full
    const one = await oneTenant(stores, settings)
    const others = await limiters(stores, settings)
    // A few seconds of stages have no p99.
    const noisy = form === 'quick' ? [] : [await noisyNeighbour(stores, settings)]
    return [one, ...noisy, others]
  },
}

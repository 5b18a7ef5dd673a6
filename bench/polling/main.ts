import type { Form, Suite } from '../suite.js'
import type { Section } from '../support/report.js'
import type { Stores } from '../support/stores.js'
import { bloat } from './bloat.js'
import { claims } from './claims.js'
import { lateness } from './lateness.js'
import { memory } from './memory.js'
import { plans } from './plans.js'
import { polls } from './polls.js'
import { addOrders } from './rows.js'
import { full, quick, type Settings } from './settings.js'
import { startWorld, type World } from './world.js'

export const polling: Suite = {
  title: 'Polling: a million open orders',
  about:
    'PostgreSQL is as the service brings it along, with a log of up to 8 GB and 15 minutes between checkpoints. The parts share one database and run in this order: (d), (a), (b), (c), (e), (f).',
  run: async (form: Form, stores: Stores) => {
    const world = await startWorld(stores)
    try {
      return form === 'quick' ? await runQuick(world, quick) : await runAll(world, full)
    } finally {
      await world.stop()
    }
  },
}

async function runQuick(world: World, settings: Settings): Promise<Section[]> {
  await addOrders(world, 1, settings.orders, settings.tenants)
  return [await claims(world, settings), (await polls(world, settings)).section]
}

async function runAll(world: World, settings: Settings): Promise<Section[]> {
  const held = await memory(world, settings)
  const claimed = await claims(world, settings)
  const polled = await polls(world, settings)
  const late = await lateness(world, settings, polled.perSecond)
  const grown = await bloat(world, settings)
  return [claimed, polled.section, late, held, grown, await plans(world, settings)]
}

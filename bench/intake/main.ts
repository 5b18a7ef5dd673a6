import type { Form, Suite } from '../suite.js'
import type { Section } from '../support/report.js'
import type { Stores } from '../support/stores.js'
import { changes } from './changes.js'
import { commitSection } from './commit.js'
import { keepPace, saturate } from './rounds.js'
import { saturationSection, steadySection } from './sections.js'
import { full, quick } from './settings.js'
import { startWorld } from './world.js'

export const intake: Suite = {
  title: 'From Feishu: acknowledged when it is durable',
  about: `An acknowledgement of the service: the request is read within its limits, its signature verified, its body decrypted, its token
and app compared; the event is sealed and committed to PostgreSQL with those that came with it, and a hint is on its way to
Redis. Beside it the door of the official SDK, \`EventDispatcher\` with \`adaptExpress\` on Express 5, whose handler does and
keeps nothing. Each door, PostgreSQL, and who pushes are processes of their own; the pushes are made ahead, each of a new
event, and both doors get the same ones. Any answer but 200 fails the run, and so does an acknowledged event without a row.`,
  run: async (form: Form, stores: Stores): Promise<Section[]> => {
    const settings = form === 'full' ? full : quick
    const world = await startWorld(stores, settings)
    try {
      const oneRow = await world.ground.oneRowCommits(200)
      const rounds = await saturate(world, settings)
      const steady = await keepPace(world, settings)
      return [
        saturationSection(settings, rounds),
        steadySection(settings, steady),
        await commitSection(world.ground, rounds, oneRow),
        changes,
      ]
    } finally {
      await world.stop()
    }
  },
}

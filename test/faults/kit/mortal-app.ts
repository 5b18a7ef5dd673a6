import { startApp } from '../../../src/app.js'
import { readConfig } from '../../../src/config.js'
import { createLogger } from '../../../src/platform/logger.js'
import { startLink } from './link.js'
import { breakAll, closeAll, type Mortal, type Outward } from './mortal.js'
import type { Role } from './steps.js'

/** A process that lives inside of the test, which costs next to nothing. It dies by losing all its ways. */
export async function startMortalApp(
  role: Role,
  outward: Outward,
  env: Record<string, string>,
  lookAfterMs: readonly number[],
): Promise<Mortal> {
  const app = await startApp(readConfig({ ...env, PORT: '0' }), createLogger('silent'), { lookAfterMs })
  const ways = { ...outward, webhook: await startLink(`feishu–${role}`, [app.port]) }
  let stopped: Promise<unknown> = Promise.resolve()
  return {
    role,
    isProcess: false,
    ways,
    die: () => {
      breakAll(ways)
      // Without its ways a stop fails here and there, and nothing of it is seen outside.
      stopped = app.stop().catch(() => undefined)
    },
    end: async () => 'lost all its ways',
    buried: async () => {
      await stopped
      await closeAll(ways)
    },
    stop: async () => {
      await app.stop()
      await closeAll(ways)
    },
  }
}

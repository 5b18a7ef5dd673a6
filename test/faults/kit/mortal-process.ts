import { startLink } from './link.js'
import { breakAll, closeAll, type Mortal, type Outward } from './mortal.js'
import { Service } from './services.js'
import type { Role } from './steps.js'

/** A process of its own, which dies by `kill -9`. */
export async function startMortalProcess(
  role: Role,
  outward: Outward,
  env: Record<string, string>,
  lookAfterMs: readonly number[],
  folder: string,
): Promise<Mortal> {
  const whole = { ...env, LOG_LEVEL: 'info', LOOK_AFTER_MS: lookAfterMs.join(',') }
  const service = await new Service(role, whole, folder).start()
  const { starts } = service
  const ways = { ...outward, webhook: await startLink(`feishu–${role}`, [service.port]) }
  let gone: Promise<void> = Promise.resolve()
  return {
    role,
    isProcess: true,
    ways,
    die: () => {
      // Both before anything else can happen in this process, through which all ways of the other one lead.
      breakAll(ways)
      gone = service.stop()
    },
    end: async () => {
      await gone
      return service.starts === starts ? (service.endedBy ?? 'ended by itself') : 'ended by itself'
    },
    buried: () => closeAll(ways),
    stop: async () => {
      await service.stop()
      await closeAll(ways)
    },
  }
}

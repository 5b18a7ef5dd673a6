import type { Redis } from 'ioredis'
import { giveBack, rebuild, take } from '../../../src/platform/limiter/redis-scripts.js'

/** The names under which Redis knows the limiter's scripts. */
export interface Scripts {
  take: string
  rebuild: string
  giveBack: string
}

export async function limiterScripts(): Promise<Scripts> {
  const shaOf = async (run: typeof take) => {
    let seen = ''
    // Only the one command is ever called.
    const evalsha = async (sha: string) => {
      seen = sha
    }
    const redis = { evalsha } as unknown as Redis
    await run(redis, [], [])
    return seen
  }
  return { take: await shaOf(take), rebuild: await shaOf(rebuild), giveBack: await shaOf(giveBack) }
}

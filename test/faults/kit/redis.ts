import { Redis } from 'ioredis'
import { type StartedRedis, startRedis } from '../../support/redis.js'

/** A redis-server of the run's own, and what can happen to one. */
export interface OwnRedis {
  port: number
  empty(): Promise<void>
  /** `kill -9`; it is away until `back`. */
  kill(): Promise<void>
  /** Started again, empty. */
  back(): Promise<void>
  pause(): Promise<void>
  goOn(): Promise<void>
  /** `maxmemory` below what it holds, with `noeviction`: every write is refused. */
  fill(): Promise<void>
  unfill(): Promise<void>
  refusedWrites(): Promise<number>
  keys(): Promise<string[]>
  stop(): Promise<void>
}

export async function startOwnRedis(): Promise<OwnRedis> {
  const server: StartedRedis = await startRedis()
  const { port } = server
  let pid = await pidOf(port)
  return {
    port,
    empty: () => server.flush(),
    kill: async () => void process.kill(pid, 'SIGKILL'),
    back: async () => {
      await server.restart()
      pid = await pidOf(port)
    },
    pause: async () => void process.kill(pid, 'SIGSTOP'),
    goOn: async () => void process.kill(pid, 'SIGCONT'),
    fill: () => ask(port, async (redis) => void (await redis.config('SET', 'maxmemory', '1'))),
    unfill: () => ask(port, async (redis) => void (await redis.config('SET', 'maxmemory', '0'))),
    refusedWrites: () =>
      ask(port, async (redis) => Number(/errorstat_OOM:count=(\d+)/.exec(await redis.info('errorstats'))?.[1] ?? 0)),
    keys: () => ask(port, (redis) => redis.keys('*')),
    stop: () => server.stop(),
  }
}

async function pidOf(port: number): Promise<number> {
  const info = await ask(port, (redis) => redis.info('server'))
  return Number(/process_id:(\d+)/.exec(info)?.[1])
}

async function ask<T>(port: number, question: (redis: Redis) => Promise<T>): Promise<T> {
  const redis = new Redis({ port, maxRetriesPerRequest: 50, retryStrategy: () => 20 })
  redis.on('error', () => 'the request fails when it has been tried often enough')
  try {
    return await question(redis)
  } finally {
    redis.disconnect()
  }
}

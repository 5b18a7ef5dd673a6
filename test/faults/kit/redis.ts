import { startRedisServer } from '../../support/redis-server.js'

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
  const server = await startRedisServer()
  const { client, port } = server
  return {
    port,
    empty: async () => void (await client.flushall()),
    kill: server.kill,
    back: server.start,
    pause: async () => server.pause(),
    goOn: async () => server.goOn(),
    fill: async () => void (await client.config('SET', 'maxmemory', '1')),
    unfill: async () => void (await client.config('SET', 'maxmemory', '0')),
    refusedWrites: async () => Number(/errorstat_OOM:count=(\d+)/.exec(await client.info('errorstats'))?.[1] ?? 0),
    keys: () => client.keys('*'),
    stop: () => server.stop(),
  }
}

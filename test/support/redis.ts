import { startRedisServer } from './redis-server.js'

export interface StartedRedis {
  url: string
  port: number
  /** Forgets everything, as a replaced server would. */
  flush(): Promise<void>
  /** `kill -9`, then a new start on the same port. It saves nothing by itself, but loads what a `SAVE` has left. */
  restart(): Promise<void>
  stop(): Promise<void>
}

/** A redis-server of the test's own, for tests that need no more than one. */
export async function startRedis(): Promise<StartedRedis> {
  const server = await startRedisServer()
  return {
    url: `redis://${server.address}`,
    port: server.port,
    flush: async () => void (await server.client.flushall()),
    restart: async () => {
      await server.kill()
      await server.start()
    },
    stop: () => server.stop(),
  }
}

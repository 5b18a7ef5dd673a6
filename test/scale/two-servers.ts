import { afterAll, afterEach, beforeAll, beforeEach } from 'vitest'
import { type RedisServer, startRedisServer } from '../support/redis-server.js'
import { type Ground, layGround } from '../support/room.js'

/** Two primaries that know nothing of each other, both empty for each test, and a database. Not there before the first test. */
export interface TwoPrimaries {
  old: RedisServer
  next: RedisServer
  ground: Ground
}

export function betweenTwoPrimaries(take: (both: TwoPrimaries) => void): void {
  let servers: readonly [RedisServer, RedisServer]
  let ground: Ground
  beforeAll(async () => {
    servers = await Promise.all([startRedisServer(), startRedisServer()])
  })
  afterAll(() => Promise.all(servers.map((server) => server.stop())))
  beforeEach(async () => {
    await Promise.all(servers.map(({ client }) => client.flushall()))
    ground = await layGround()
    const [old, next] = servers
    take({ old, next, ground })
  })
  afterEach(() => ground.stop())
}

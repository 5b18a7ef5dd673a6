import { Redis } from 'ioredis'
import { afterAll, beforeAll } from 'vitest'
import { memoryStore, redisStore } from '../support/limiter.js'
import { describeLimiter } from '../support/limiter-contract.js'
import { type StartedRedis, startRedis } from '../support/redis.js'

let server: StartedRedis
let client: Redis

beforeAll(async () => {
  server = await startRedis()
  client = new Redis(server.url)
})

afterAll(async () => {
  client.disconnect()
  await server.stop()
})

describeLimiter('memory', async () => memoryStore())
describeLimiter('redis', async () => {
  await server.flush()
  return redisStore(client)
})

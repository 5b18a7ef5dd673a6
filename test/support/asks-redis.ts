import { redisLimiter } from '../../src/platform/limiter/redis.js'
import { createLogger } from '../../src/platform/logger.js'
import { connectRedis, type RedisPlace } from '../../src/platform/queue/redis.js'

/*
 * A process of its own, since Node reads NODE_EXTRA_CA_CERTS at its start: connects to each of the places that it was
 * given as the service does, and says what the limiter answers there, or why there is no connection.
 */

const places = JSON.parse(process.argv[2] ?? '[]') as RedisPlace[]
const answers = await Promise.all(places.map(ask))
process.stdout.write(JSON.stringify(answers))
process.exit(0)

async function ask(place: RedisPlace): Promise<string> {
  const redis = connectRedis(place, createLogger('silent'), 'commands')
  const refused = await new Promise<string | null>((resolve) => {
    redis.once('ready', () => resolve(null))
    redis.once('error', (failure: Error & { lastNodeError?: Error }) =>
      resolve((failure.lastNodeError ?? failure).message),
    )
  })
  if (refused !== null) return refused
  const terms = { windows: [{ limit: 1, windowMs: 1000 }], timeoutMs: 1000, epoch: '1' }
  return (await redisLimiter({ redis }).take('a', ['1'], terms)).kind
}

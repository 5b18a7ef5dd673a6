import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { examineCluster } from '../../src/cli/doctor/redis/cluster.js'
import { redisCheck } from '../../src/cli/doctor/redis.js'
import type { Config } from '../../src/config.js'
import { redisLimiter } from '../../src/platform/limiter/redis.js'
import { createLogger } from '../../src/platform/logger.js'
import { createBullHints } from '../../src/platform/queue/bull.js'
import { connectRedis, type RedisAccess } from '../../src/platform/queue/redis.js'
import { isWhole } from '../../src/platform/queue/redis-whole.js'
import { eventually } from '../support/eventually.js'
import { asGranted, asLost, names, openBucket, redisStore, terms } from '../support/limiter.js'
import { describeLimiter } from '../support/limiter-contract.js'
import { type StartedCluster, startRedisCluster } from '../support/redis-cluster.js'
import { cutOff, type RedisServer, startRedisServer } from '../support/redis-server.js'
import { liveThrough } from './lived-through.js'

const five = terms([{ limit: 5, windowMs: 60_000 }])
const state = '{bgc:limiter:a}:state'
const uses = '{bgc:limiter:a}:uses'

let cluster: StartedCluster

beforeAll(async () => {
  cluster = await startRedisCluster()
})
afterAll(() => cluster.stop())

const log = createLogger('silent')

/** As a process of the service does; it knows two nodes. */
function place(access: Partial<RedisAccess> = {}) {
  const nodes = cluster.servers.slice(0, 2).map(({ port }) => ({ host: '127.0.0.1', port }))
  return { kind: 'cluster' as const, nodes, tls: false, ...access }
}

function connect(access: Partial<RedisAccess> = {}) {
  const redis = connectRedis(place(access), log, 'commands')
  onTestFinished(() => redis.disconnect())
  return redis
}

describe('on a cluster', () => {
  let client: ReturnType<StartedCluster['client']>
  beforeAll(() => {
    client = cluster.client()
  })
  afterAll(() => client.disconnect())
  describeLimiter('a cluster', async () => {
    await cluster.flush()
    return redisStore(client, () => cluster.flush())
  })
})

describe('the limiter on a cluster', () => {
  afterEach(() => cluster.mend())

  /** A bucket that was opened and has reached its replica. */
  async function open() {
    await cluster.flush()
    const redis = connect()
    await eventually(() => redis.status).toBe('ready')
    const limiter = redisLimiter({ redis })
    await openBucket(limiter, 'a', five)
    const primary = await cluster.primaryOf(state)
    expect(await primary.client.wait(1, 10_000)).toBe(1)
    return { redis, limiter, primary, replica: await cluster.replicaOf(primary) }
  }

  it('is lost on a replica that took over without the last calls, although its state looks whole', async () => {
    const { limiter, primary, replica } = await open()
    await cutOff(replica, primary)
    expect(asGranted(await limiter.take('a', names(5), five)).slots).toHaveLength(5)
    await primary.kill()
    const next = await cluster.untilFailedOver(state, primary)
    expect(await next.client.hget(state, 'epoch')).toBe(five.epoch)
    expect(await next.client.zcard(uses)).toBe(0)
    await eventually(() => limiter.take('a', names(1, 5), five).catch(() => 'away')).toMatchObject({ kind: 'lost' })
  })

  it('goes on by itself within seconds after its primary was killed', async () => {
    const { redis, limiter, primary } = await open()
    await primary.kill()
    await cluster.untilFailedOver(state, primary)
    await eventually(() => isWhole(redis).catch(() => false)).toBe(true)
    const again = { ...five, epoch: '2' }
    expect(await limiter.rebuild('a', asLost(await limiter.take('a', [], five)), [], again)).toBe(true)
    expect(asGranted(await limiter.take('a', names(5), again)).slots).toHaveLength(5)
  })

  it('fails instead of waiting while the cluster is away, and goes on when that is back', async () => {
    const { redis, limiter } = await open()
    for (const server of cluster.servers) server.pause()
    const asked = Promise.allSettled([limiter.take('a', names(1), five), isWhole(redis)])
    const answers = await asked.finally(() => cluster.servers.map((server) => server.goOn()))
    expect(answers.map(({ status }) => status)).toEqual(['rejected', 'rejected'])
    await eventually(() => isWhole(redis).catch(() => false)).toBe(true)
  })

  it('is lost on the node that its slot was moved to, also half-way, and on the way back', async () => {
    const { limiter, primary } = await open()
    expect(asGranted(await limiter.take('a', names(5), five)).slots).toHaveLength(5)
    const other = await cluster.anotherPrimary(primary)
    let asked: ReturnType<typeof limiter.take> | undefined
    await cluster.moveSlot(state, other, async () => {
      expect(await limiter.take('a', names(1, 5), five)).toMatchObject({ kind: 'wait' })
      await primary.client.call('MIGRATE', '127.0.0.1', other.port, state, 0, 5000)
      const ask = () => limiter.take('a', names(1, 5), five)
      // It is sent from one node to the other until the move is over, or given up.
      asked = ask().catch(ask)
    })
    expect(await asked).toMatchObject({ kind: 'lost' })
    const next = { ...five, epoch: '2' }
    const lost = asLost(await limiter.take('a', names(1, 5), five))
    expect(await limiter.rebuild('a', lost, [], next)).toBe(true)
    expect(asGranted(await limiter.take('a', names(5, 9), next)).slots).toHaveLength(5)
    await cluster.moveSlot(state, primary)
    expect(await limiter.take('a', names(1, 20), next)).toMatchObject({ kind: 'lost' })
  })
})

describe('hints on a cluster', () => {
  afterEach(() => cluster.mend())

  it('reach another process, also after the primary that had them was killed', async () => {
    const [from, to] = [createBullHints({ redis: place(), log }), createBullHints({ redis: place(), log })]
    onTestFinished(async () => void (await Promise.all([from.stop(), to.stop()])))
    const heard = new Set<string>()
    to.listen('pump', (key) => heard.add(key))
    // One that is lost costs a scan; it is those after it that have to arrive.
    const reaches = async (key: string) => {
      let tries = 0
      await eventually(() => {
        tries += 1
        from.send('pump', `${key}${tries}`)
        return [...heard].some((each) => each.startsWith(key))
      }).toBe(true)
    }
    await reaches('before')
    const primary = await cluster.primaryOf('{bgc}')
    await primary.kill()
    await cluster.untilFailedOver('{bgc}', primary)
    await reaches('after')
  })
})

describe('thirty checks on a cluster', () => {
  afterEach(() => cluster.mend())

  const env = () => ({ REDIS_CLUSTER_NODES: cluster.nodes })

  /** The primary that has the most windows, and the keys of one of them. */
  async function busiest() {
    const all = (await cluster.primaries()).map(async (primary) => ({
      primary,
      keys: await primary.client.keys('{bgc:limiter:*'),
    }))
    const [most] = (await Promise.all(all)).toSorted((a, b) => b.keys.length - a.keys.length)
    if (most?.keys[0] === undefined) throw new Error('there are no windows')
    return { primary: most.primary, key: most.keys[0] }
  }

  it('come to their ends when the primary of the hints and of most windows is killed, its replica behind', async () => {
    await cluster.flush()
    let primary: RedisServer | undefined
    const prepare = async () => {
      primary = (await busiest()).primary
      if ((await cluster.primaryOf('{bgc}')) !== primary) await cluster.moveSlot('{bgc}', primary)
      await cutOff(await cluster.replicaOf(primary), primary)
    }
    const happen = async () => {
      if (primary === undefined) throw new Error('nothing was prepared')
      await primary.kill()
      await cluster.untilFailedOver('{bgc}', primary)
    }
    await liveThrough(env(), { prepare, happen })
  })

  it('come to their ends when the slots of the hints and of a window are moved to another node', async () => {
    await cluster.flush()
    const happen = async () => {
      const { primary, key } = await busiest()
      await cluster.moveSlot(key, await cluster.anotherPrimary(primary))
      await cluster.moveSlot('{bgc}', await cluster.anotherPrimary(await cluster.primaryOf('{bgc}')))
    }
    await liveThrough(env(), { happen })
  })
})

describe('bgc doctor on a cluster', () => {
  afterEach(() => cluster.mend())

  it('says what it found on all nodes, those too that no setting names', async () => {
    expect(await examineCluster(place())).toEqual([
      {
        kind: 'ok',
        detail: expect.stringMatching(/^a cluster of 3 primaries and 3 replicas, version \d+\S+, noeviction$/),
      },
    ])
    const last = cluster.servers.at(-1)
    await last?.client.config('SET', 'maxmemory-policy', 'allkeys-lru')
    onTestFinished(async () => void (await last?.client.config('SET', 'maxmemory-policy', 'noeviction')))
    expect(await examineCluster(place())).toEqual([
      expect.objectContaining({
        kind: 'wrong',
        problem: expect.stringContaining(`${last?.address}: maxmemory-policy is`),
      }),
    ])
  })

  it('names the node that does not answer', async () => {
    const primary = await cluster.primaryOf(state)
    const replica = await cluster.replicaOf(primary)
    replica.pause()
    const found = await examineCluster(place())
    replica.goOn()
    expect(found).toContainEqual(
      expect.objectContaining({
        kind: 'wrong',
        problem: expect.stringContaining(`${replica.address} does not answer`),
      }),
    )
  })

  it('says when scripts may not know which server they run on', async () => {
    const may = (rules: string[]) =>
      Promise.all(cluster.servers.map(({ client }) => client.call('ACL', 'SETUSER', 'bgc', ...rules)))
    await may(['on', '>hunter2', '~{bgc*', '&*', '+@all', '-@admin', '-info'])
    onTestFinished(async () => void (await may(['off'])))
    const found = await examineCluster(place({ username: 'bgc', password: 'hunter2' }))
    expect(found).toHaveLength(6)
    expect(JSON.stringify(found[0])).toContain('scripts are not told run_id')
    await may(['+info'])
    expect(await examineCluster(place({ username: 'bgc', password: 'hunter2' }))).toMatchObject([{ kind: 'ok' }])
    const redis = connect({ username: 'bgc', password: 'hunter2' })
    await eventually(() => redis.status).toBe('ready')
    expect(await openBucket(redisLimiter({ redis }), 'of a user', five)).toBe(true)
    const refused = JSON.stringify(await examineCluster(place({ username: 'bgc', password: 'hunter3' })))
    expect(refused).toMatch(/no node of REDIS_CLUSTER_NODES answers, or all refuse/)
    expect(refused).not.toContain('hunter3')
  })

  it('says that a Redis by itself is no cluster, and that a cluster is no Redis by itself', async () => {
    const server = await startRedisServer()
    onTestFinished(() => server.stop())
    const alone = await examineCluster({ ...place(), nodes: [{ host: '127.0.0.1', port: server.port }] })
    expect(JSON.stringify(alone)).toContain('set REDIS_URL instead of it')
    const config = { redis: { kind: 'single', url: `redis://${cluster.servers[0]?.address}` } } as Config
    const found = await redisCheck.run({ config } as Parameters<typeof redisCheck.run>[0])
    expect(JSON.stringify(found)).toContain('set REDIS_CLUSTER_NODES instead of REDIS_URL')
  })
})

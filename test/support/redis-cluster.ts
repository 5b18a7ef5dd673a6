import { Cluster } from 'ioredis'
import { freePort } from './free-port.js'
import { type RedisServer, startRedisServer, untilHolds } from './redis-server.js'

export interface StartedCluster {
  /** As `REDIS_CLUSTER_NODES` wants them. */
  nodes: string
  servers: readonly RedisServer[]
  /** The primary that has the slot of this key, as one that is alive sees it. */
  primaryOf(key: string): Promise<RedisServer>
  primaries(): Promise<RedisServer[]>
  anotherPrimary(than: RedisServer): Promise<RedisServer>
  replicaOf(primary: RedisServer): Promise<RedisServer>
  /** Waits until another server than this one has the slot. */
  untilFailedOver(key: string, from: RedisServer): Promise<RedisServer>
  /** Moves the slot of the key and all that is in it, as `redis-cli --cluster reshard` does; `between` runs half-way. */
  moveSlot(key: string, to: RedisServer, between?: () => Promise<void>): Promise<void>
  /** Brings back what was killed and waits until every primary has its replica again. */
  mend(): Promise<void>
  flush(): Promise<undefined>
  client(): Cluster
  stop(): Promise<void>
}

const slots = 16_384
const primaries = 3

/** Three primaries and three replicas; a lost primary is replaced within two or three seconds. */
export async function startRedisCluster(): Promise<StartedCluster> {
  const servers = await Promise.all(Array.from({ length: 2 * primaries }, () => startNode()))
  const cluster = operate(servers)
  await introduce(servers)
  await cluster.mend()
  return cluster
}

function startNode(): Promise<RedisServer> {
  return startRedisServer({
    options: async () => ({
      'cluster-enabled': 'yes',
      'cluster-port': await freePort(),
      'cluster-node-timeout': 1500,
      'cluster-replica-validity-factor': 0,
      'cluster-allow-replica-migration': 'no',
    }),
  })
}

async function introduce(servers: readonly RedisServer[]): Promise<void> {
  const [first] = servers
  if (first === undefined) return
  await Promise.all(servers.map(({ client }, index) => client.cluster('SET-CONFIG-EPOCH', index + 1)))
  for (const { client, port } of servers.slice(1)) {
    const busPort = (await client.config('GET', 'cluster-port')) as string[]
    await first.client.cluster('MEET', '127.0.0.1', port, Number(busPort[1]))
  }
  const size = Math.ceil(slots / primaries)
  for (const [index, { client }] of servers.slice(0, primaries).entries()) {
    await client.cluster('ADDSLOTSRANGE', index * size, Math.min((index + 1) * size, slots) - 1)
  }
  const known = async () => (await Promise.all(servers.map(({ client }) => client.cluster('INFO')))).join('')
  await untilHolds('all nodes know each other', async () => {
    return [...(await known()).matchAll(/cluster_known_nodes:6/g)].length === servers.length
  })
  for (const [index, { client }] of servers.slice(primaries).entries()) {
    const primary = servers[index]
    const id = await primary?.client.cluster('MYID')
    await client.cluster('REPLICATE', String(id))
  }
}

function operate(servers: readonly RedisServer[]): StartedCluster {
  const dead = new Set<RedisServer>()
  for (const server of servers) {
    const { kill, start } = server
    server.kill = async () => {
      dead.add(server)
      await kill()
    }
    server.start = async () => {
      await start()
      dead.delete(server)
    }
  }
  const alive = () => servers.filter((server) => !dead.has(server))
  const at = (port: number) => {
    const server = servers.find((each) => each.port === port)
    if (server === undefined) throw new Error(`no node at ${port}`)
    return server
  }
  const shards = async (): Promise<Array<{ from: number; to: number; ports: number[] }>> => {
    const [one] = alive()
    const rows = (await one?.client.cluster('SLOTS')) ?? []
    return rows.map(([from, to, ...nodes]) => ({ from, to, ports: nodes.map(([, port]) => port) }))
  }
  const portsOf = async (key: string): Promise<number[]> => {
    const slot = Number(await alive()[0]?.client.cluster('KEYSLOT', key))
    return (await shards()).find(({ from, to }) => slot >= from && slot <= to)?.ports ?? []
  }
  const all = async (ask: (server: RedisServer) => Promise<unknown>) => Promise.all(alive().map(ask))
  const cluster: StartedCluster = {
    nodes: servers.map(({ address }) => address).join(','),
    servers,
    primaryOf: async (key) => at((await portsOf(key))[0] ?? 0),
    primaries: async () => [...new Set((await shards()).map(({ ports }) => at(ports[0] ?? 0)))],
    anotherPrimary: async (than) => {
      const other = (await cluster.primaries()).find((each) => each !== than)
      if (other === undefined) throw new Error('there is one primary only')
      return other
    },
    replicaOf: async (primary) => {
      const shard = (await shards()).find(({ ports }) => ports[0] === primary.port)
      return at(shard?.ports[1] ?? 0)
    },
    untilFailedOver: async (key, from) => {
      // Between the two nobody has the slot.
      await untilHolds('a failover', async () => {
        const [port] = await portsOf(key)
        return port !== undefined && port !== from.port
      })
      return cluster.primaryOf(key)
    },
    moveSlot: async (key, to, between) => moveSlot(await cluster.primaryOf(key), to, key, alive(), between),
    mend: async () => {
      for (const server of [...dead]) await server.start()
      await all(({ client }) => client.config('SET', 'masterauth', ''))
      await untilHolds('the cluster is whole', async () => {
        const states = (await all(({ client }) => client.cluster('INFO'))).map(String)
        const links = (await all(({ client }) => client.info('replication'))).map(String)
        return (
          states.every((info) => info.includes('cluster_state:ok')) &&
          (await shards()).every(({ ports }) => ports.length === 2) &&
          links.filter((info) => info.includes('master_link_status:up')).length === servers.length - primaries
        )
      })
    },
    flush: async () => {
      await all(async ({ client }) => (await client.info('replication')).includes('role:master') && client.flushall())
      return undefined
    },
    client: () => {
      const startup = servers.map(({ port }) => ({ host: '127.0.0.1', port }))
      const client = new Cluster(startup, { redisOptions: { maxRetriesPerRequest: null } })
      client.on('error', () => 'a request fails when it has been tried often enough')
      return client
    },
    stop: async () => void (await Promise.all(servers.map((server) => server.stop()))),
  }
  return cluster
}

/** https://redis.io/docs/latest/commands/cluster-setslot/ */
async function moveSlot(
  from: RedisServer,
  to: RedisServer,
  key: string,
  alive: readonly RedisServer[],
  between?: () => Promise<void>,
): Promise<void> {
  const slot = await from.client.cluster('KEYSLOT', key)
  const [fromId, toId] = [await from.client.cluster('MYID'), await to.client.cluster('MYID')].map(String)
  await to.client.cluster('SETSLOT', slot, 'IMPORTING', fromId ?? '')
  await from.client.cluster('SETSLOT', slot, 'MIGRATING', toId ?? '')
  await between?.()
  for (;;) {
    const keys = await from.client.cluster('GETKEYSINSLOT', slot, 100)
    if (keys.length === 0) break
    await from.client.call('MIGRATE', '127.0.0.1', to.port, '', 0, 5000, 'KEYS', ...keys)
  }
  for (const server of [to, from, ...alive]) {
    const isPrimary = (await server.client.info('replication')).includes('role:master')
    if (isPrimary) await server.client.cluster('SETSLOT', slot, 'NODE', toId ?? '')
  }
}

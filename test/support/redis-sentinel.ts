import { type RedisServer, startRedisServer, untilHolds } from './redis-server.js'

export interface StartedSentinels {
  name: string
  /** As `REDIS_SENTINELS` wants them. */
  sentinels: string
  servers: readonly RedisServer[]
  watchers: readonly RedisServer[]
  /** As most sentinels see it. */
  primary(): Promise<RedisServer>
  replicaOf(primary: RedisServer): RedisServer
  /** Waits until every sentinel names another primary than this one. */
  untilFailedOver(from: RedisServer): Promise<RedisServer>
  /** Waits until a server that came back is the replica of the primary and has all that this has. */
  untilReplicates(replica: RedisServer, primary: RedisServer): Promise<void>
  stop(): Promise<void>
}

/** A primary, its replica and three sentinels, which put the replica in its place within a second or two. */
export async function startRedisSentinels(name = 'bgc'): Promise<StartedSentinels> {
  const servers = await Promise.all([startRedisServer(), startRedisServer()])
  const [primary, replica] = servers
  await replica.client.replicaof('127.0.0.1', primary.port)
  await untilHolds('the replica has its primary', async () => {
    return (await replica.client.info('replication')).includes('master_link_status:up')
  })
  // A replica that has been without its primary for ten times as long does not take over.
  const lines = [
    `sentinel monitor ${name} 127.0.0.1 ${primary.port} 2`,
    `sentinel down-after-milliseconds ${name} 1500`,
    `sentinel failover-timeout ${name} 2000`,
  ]
  const watchers = await Promise.all(Array.from({ length: 3 }, () => startRedisServer({ kind: 'sentinel', lines })))
  // One that found itself two seconds late would trust no clock, and start no failover, for half a minute.
  for (const { client } of watchers) await client.call('SENTINEL', 'DEBUG', 'tilt-trigger', 600_000)
  const told = async (watcher: RedisServer): Promise<number> => {
    const address = (await watcher.client.call('SENTINEL', 'get-master-addr-by-name', name)) as string[]
    return Number(address[1])
  }
  // They have found each other and the replica: before, there is no majority, or nothing to take over.
  for (const { client } of watchers) {
    await untilHolds('the sentinels know each other', async () => {
      const others = (await client.call('SENTINEL', 'sentinels', name)) as unknown[]
      const replicas = (await client.call('SENTINEL', 'replicas', name)) as unknown[]
      return others.length === 2 && replicas.length === 1
    })
  }
  const at = (port: number) => {
    const server = servers.find((each) => each.port === port)
    if (server === undefined) throw new Error(`no server at ${port}`)
    return server
  }
  // With flags of its own it counts as down, and with no link it is behind: then nothing takes over.
  const canTakeOver = async ({ client }: RedisServer) => {
    const replicas = (await client.call('SENTINEL', 'replicas', name)) as string[][]
    return replicas.some((fields) => {
      const field = (of: string) => fields[fields.indexOf(of) + 1]
      return field('flags') === 'slave' && field('master-link-status') === 'ok'
    })
  }
  return {
    name,
    sentinels: watchers.map(({ address }) => address).join(','),
    servers,
    watchers,
    primary: async () => at(await told(watchers[0] ?? primary)),
    replicaOf: (of) => (of === primary ? replica : primary),
    untilFailedOver: async (from) => {
      for (const watcher of watchers) await untilHolds('a failover', async () => (await told(watcher)) !== from.port)
      return from === primary ? replica : primary
    },
    untilReplicates: async (late, of) => {
      await of.client.config('SET', 'masterauth', '')
      await untilHolds('a replica follows', async () => {
        await late.client.config('SET', 'masterauth', '')
        const info = await late.client.info('replication')
        const follows = info.includes(`master_port:${of.port}`) && info.includes('master_link_status:up')
        return follows && (await Promise.all(watchers.map(canTakeOver))).every(Boolean)
      })
    },
    stop: async () => void (await Promise.all([...watchers, ...servers].map((server) => server.stop()))),
  }
}

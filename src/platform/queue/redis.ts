import { Cluster, Redis } from 'ioredis'
import type { Logger } from '../logger.js'
import type { RedisAccess, RedisClient, RedisNode, RedisPlace } from './redis-place.js'
import { warnOfSettings } from './redis-settings.js'

export type { RedisAccess, RedisClient, RedisNode, RedisPlace } from './redis-place.js'

/** `commands`: fails fast while Redis is away. `blocking`: for BullMQ's workers, which wait for Redis for ever. */
export type RedisUse = 'commands' | 'blocking'

/** BullMQ asks Redis to answer within 10 s, also when there is nothing to say. */
const blockingSilenceMs = 20_000
const commandMs = 2000
const connectMs = 3000

/**
 * A connection on which an answer is missing for longer than any may take is given up for a new one: half-open, as a
 * firewall or a lost host leaves it, it would swallow commands for a quarter of an hour before the kernel says so.
 *
 * `commands` fails fast, since whoever asks has something better to do than to wait.
 */
export function connectRedis(place: RedisPlace, log: Logger, use: RedisUse): RedisClient {
  const redis = place.kind === 'cluster' ? connectCluster(place, log, use) : connectServer(place, use)
  let isAway = false
  redis.on('error', (failure) => {
    if (!isAway) log.warn({ event: 'redis.away', err: failure }, 'Redis does not answer')
    isAway = true
  })
  redis.on('ready', () => {
    if (isAway) log.info({ event: 'redis.back' }, 'Redis answers again')
    isAway = false
    if (use === 'commands' && redis instanceof Redis) void warnOfSettings(redis, log)
  })
  return redis
}

type ServerPlace = Exclude<RedisPlace, { kind: 'cluster' }>

function connectServer(place: ServerPlace, use: RedisUse): Redis {
  const options = {
    ...linkOptions(use),
    ...(use === 'commands' && { enableOfflineQueue: false, maxRetriesPerRequest: 1 }),
    retryStrategy: pauseMs,
    // A failover left this connection at what is a replica now: where it leads to is asked anew.
    reconnectOnError: (failure: Error) => /^(READONLY|MASTERDOWN)/.test(failure.message),
  }
  if (place.kind === 'single') return new Redis(place.url, options)
  return new Redis({
    ...options,
    ...accessOf(place),
    name: place.name,
    sentinels: place.sentinels.map(({ host, port }) => ({ host, port })),
    sentinelRetryStrategy: pauseMs,
    sentinelCommandTimeout: commandMs,
    ...(place.sentinelPassword !== undefined && { sentinelPassword: place.sentinelPassword }),
    ...(place.tls && { enableTLSForSentinelMode: true, sentinelTLS: {} }),
  })
}

/** One node or sentinel by itself, for a look at it; it is not tried again. */
export function connectNode({ host, port }: RedisNode, access: RedisAccess): Redis {
  const link = { ...linkOptions('commands'), ...accessOf(access) }
  const once = { lazyConnect: true, enableReadyCheck: false, retryStrategy: () => null }
  const redis = new Redis({ host, port, ...link, ...once })
  redis.on('error', () => 'whoever asks is told that it does not answer')
  return redis
}

type ClusterPlace = Extract<RedisPlace, { kind: 'cluster' }>

/**
 * The client follows MOVED and ASK, tries again after TRYAGAIN and CLUSTERDOWN, and looks up the slots anew when a node
 * is lost. It never tries for longer than `commands` may take, since the time of a command begins when it is first sent;
 * without a node to send it to, it fails at once.
 */
function connectCluster(place: ClusterPlace, log: Logger, use: RedisUse): Cluster {
  const cluster = new Cluster([...place.nodes], {
    redisOptions: { ...linkOptions(use), ...accessOf(place), maxRetriesPerRequest: null },
    enableOfflineQueue: use === 'blocking',
    clusterRetryStrategy: pauseMs,
    slotsRefreshTimeout: commandMs,
    // A certificate is for a name, which the address that was looked up for it has not.
    ...(place.tls && { dnsLookup: (name: string, found: (error: null, address: string) => void) => found(null, name) }),
  })
  watchNodes(cluster, log, use)
  return cluster
}

/** A node alone can be away while the cluster goes on. */
function watchNodes(cluster: Cluster, log: Logger, use: RedisUse): void {
  const away = new Set<string>()
  cluster.on('node error', (failure: Error, node: string) => {
    if (!away.has(node)) log.warn({ event: 'redis.node_away', node, err: failure }, 'a node of Redis does not answer')
    away.add(node)
  })
  cluster.on('+node', (node: Redis) => {
    node.on('ready', () => {
      const name = `${node.options.host}:${node.options.port}`
      if (away.delete(name)) log.info({ event: 'redis.node_back', node: name }, 'a node of Redis answers again')
      if (use === 'commands') void warnOfSettings(node, log)
    })
  })
}

function linkOptions(use: RedisUse) {
  return use === 'commands'
    ? { connectTimeout: connectMs, commandTimeout: commandMs, socketTimeout: 3000 }
    : { connectTimeout: connectMs, maxRetriesPerRequest: null, socketTimeout: blockingSilenceMs }
}

function accessOf({ username, password, tls }: RedisAccess) {
  return {
    ...(username !== undefined && { username }),
    ...(password !== undefined && { password }),
    ...(tls && { tls: {} }),
  }
}

function pauseMs(attempt: number): number {
  return Math.min(attempt * 100, 1000)
}

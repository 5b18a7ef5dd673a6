import type { Complain } from './read-values.js'
import type { RedisNode } from './redis-nodes.js'
import type { Values } from './variables.js'

/** Where Redis is, in one of three ways. */
export type RedisPlace =
  | { kind: 'single'; url: string }
  | ({ kind: 'cluster'; nodes: readonly RedisNode[] } & RedisAccess)
  | ({ kind: 'sentinel'; sentinels: readonly RedisNode[]; name: string; sentinelPassword?: string } & RedisAccess)

/** What an address cannot say where there are many. */
export interface RedisAccess {
  username?: string
  password?: string
  tls: boolean
}

const ways = ['REDIS_URL', 'REDIS_CLUSTER_NODES', 'REDIS_SENTINELS'] as const

/** None: one process. `unset`: what was not given at all; what was given and refused has been complained about. */
export function readRedis(values: Values, unset: ReadonlySet<string>, complain: Complain): RedisPlace | undefined {
  const given = ways.filter((name) => !unset.has(name))
  if (given.length > 1) {
    complain(`${given.join(', ')}: expected one of them`)
    return undefined
  }
  const [way] = given
  refuseStray(way, unset, complain)
  return placeOf(values)
}

/** What says something about a Redis that is not set up so would be passed over without a word. */
function refuseStray(way: (typeof ways)[number] | undefined, unset: ReadonlySet<string>, complain: Complain): void {
  const access = ['REDIS_USERNAME', 'REDIS_PASSWORD', 'REDIS_TLS'] as const
  const ofSentinels = ['REDIS_SENTINEL_NAME', 'REDIS_SENTINEL_PASSWORD'] as const
  for (const name of access.filter((each) => !unset.has(each))) {
    if (way === 'REDIS_URL') complain(`${name}: must not be set together with REDIS_URL, which says it itself`)
    if (way === undefined) complain(`${name}: expected REDIS_CLUSTER_NODES or REDIS_SENTINELS beside it`)
  }
  for (const name of ofSentinels.filter((each) => !unset.has(each))) {
    if (way !== 'REDIS_SENTINELS') complain(`${name}: expected REDIS_SENTINELS beside it`)
  }
  if (way === 'REDIS_SENTINELS' && unset.has('REDIS_SENTINEL_NAME')) {
    complain('REDIS_SENTINEL_NAME: required with REDIS_SENTINELS')
  }
  if (way !== undefined && way !== 'REDIS_URL' && !unset.has('REDIS_USERNAME') && unset.has('REDIS_PASSWORD')) {
    complain('REDIS_USERNAME: expected REDIS_PASSWORD beside it')
  }
}

function placeOf(values: Values): RedisPlace | undefined {
  const { REDIS_URL: url, REDIS_CLUSTER_NODES: nodes, REDIS_SENTINELS: sentinels, REDIS_SENTINEL_NAME: name } = values
  if (url !== undefined) return { kind: 'single', url }
  if (nodes !== undefined) return { kind: 'cluster', nodes, ...accessOf(values) }
  if (sentinels === undefined || name === undefined) return undefined
  const { REDIS_SENTINEL_PASSWORD: sentinelPassword } = values
  return {
    kind: 'sentinel',
    sentinels,
    name,
    ...(sentinelPassword !== undefined && { sentinelPassword }),
    ...accessOf(values),
  }
}

function accessOf({ REDIS_USERNAME: username, REDIS_PASSWORD: password, REDIS_TLS: tls }: Values): RedisAccess {
  return {
    ...(username !== undefined && { username }),
    ...(password !== undefined && { password }),
    tls: tls ?? false,
  }
}

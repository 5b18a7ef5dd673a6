import type { Cluster, Redis } from 'ioredis'

/** One server, a cluster, or a primary with replicas that sentinels watch. All hold the same keys. */
export type RedisPlace =
  | { kind: 'single'; url: string }
  | ({ kind: 'cluster'; nodes: readonly RedisNode[] } & RedisAccess)
  | ({ kind: 'sentinel'; sentinels: readonly RedisNode[]; name: string; sentinelPassword?: string } & RedisAccess)

export interface RedisNode {
  host: string
  port: number
}

export interface RedisAccess {
  username?: string
  password?: string
  tls: boolean
}

export type RedisClient = Redis | Cluster

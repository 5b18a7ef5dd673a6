import type { Redis } from 'ioredis'
import { connectNode, type RedisAccess, type RedisClient, type RedisNode } from '../../../platform/queue/redis.js'
import { leastMajor, readInfo, versionOf } from '../../../platform/queue/redis-settings.js'
import { doubt, type Found, wrong } from '../check.js'

/** What one server says of itself. */
export interface ServerAnswer {
  read: (field: string) => string | undefined
  version: string
  /** The limiter's scripts ask for it, and tell by it that a server is another one or began anew. */
  scriptsMayReadInfo: boolean
}

export async function askServer(redis: RedisClient): Promise<ServerAnswer> {
  const read = readInfo(await redis.info().catch(refused))
  const script = "return redis.call('INFO', 'server', 'replication')"
  // A refusal is the answer: of a user that may not, or of a server that does not let scripts.
  const told = readInfo(String(await redis.eval(script, 0).catch(() => '')))
  const isTold = (field: string) => /[1-9a-z]/i.test(told(field) ?? '')
  return {
    read,
    version: versionOf(read) ?? 'unknown',
    scriptsMayReadInfo: isTold('run_id') && isTold('master_replid'),
  }
}

/** A user that may not ask is told apart from a server that does not answer. */
function refused(failure: unknown): string {
  if (failure instanceof Error && failure.message.startsWith('NOPERM')) return ''
  throw failure
}

/** `label` begins each problem, where there are several servers. */
export function judgeServer({ read, version, scriptsMayReadInfo }: ServerAnswer, label = ''): Found[] {
  const policy = read('maxmemory_policy')
  const [used, most] = [Number(read('used_memory')), Number(read('maxmemory'))]
  return [
    ...(Number.parseInt(version, 10) < leastMajor
      ? wrong(`${label}this is version ${version}`, 'use Redis 7 or Valkey')
      : []),
    ...(policy !== undefined && policy !== 'noeviction'
      ? wrong(
          `${label}maxmemory-policy is ${policy}: hints and rate slots may be thrown away`,
          'set maxmemory-policy noeviction',
        )
      : []),
    ...(most > 0 && used > 0.9 * most
      ? doubt(`${label}more than nine tenths of maxmemory are used`, 'raise maxmemory, or look what else lies there')
      : []),
    ...(scriptsMayReadInfo
      ? []
      : wrong(
          `${label}scripts are not told run_id and master_replid, without which nothing is sent`,
          'let the user run INFO (ACL +info), or use another Redis',
        )),
  ]
}

/** `null`: it does not answer, or refuses the user and password; the client's own words may hold that. */
export async function visit<T>(
  node: RedisNode,
  access: RedisAccess,
  ask: (redis: Redis) => Promise<T>,
): Promise<T | null> {
  const redis = connectNode(node, access)
  try {
    return await ask(redis)
  } catch {
    return null
  } finally {
    redis.disconnect()
  }
}

export function nameOf({ host, port }: RedisNode): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}

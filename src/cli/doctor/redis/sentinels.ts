import type { RedisNode, RedisPlace } from '../../../platform/queue/redis.js'
import { doubt, type Found, ok, wrong } from '../check.js'
import { askServer, judgeServer, nameOf, visit } from './server.js'

type SentinelPlace = Extract<RedisPlace, { kind: 'sentinel' }>

/** Asks each sentinel for the primary, then that and its replicas. */
export async function examineSentinels(place: SentinelPlace): Promise<Found[]> {
  const words = await Promise.all(place.sentinels.map((sentinel) => askSentinel(sentinel, place)))
  const bad = words.flatMap(({ found }) => found)
  const primaries = new Map(words.flatMap(({ primary }) => (primary ? [[nameOf(primary), primary]] : [])))
  const [primary] = primaries.values()
  if (primary === undefined) {
    return [
      ...bad,
      ...wrong(
        'no sentinel knows the primary',
        'check REDIS_SENTINELS, REDIS_SENTINEL_NAME and REDIS_SENTINEL_PASSWORD',
      ),
    ]
  }
  if (primaries.size > 1) {
    return [...bad, ...wrong(`the sentinels name several primaries: ${[...primaries.keys()].join(', ')}`, 'mend that')]
  }
  const replicas = new Map(words.flatMap((word) => word.replicas.map((each) => [nameOf(each), each])))
  if (replicas.size === 0) bad.push(...doubt('the primary has no replica: nothing can take its place', 'add a replica'))
  const looks = await Promise.all([primary, ...replicas.values()].map((node) => lookAt(node, primary, place)))
  const all = [...bad, ...looks.flatMap(({ found }) => found)]
  const versions = [...new Set(looks.map(({ version }) => version))].join(' and ')
  const watched = `${nameOf(primary)} with ${replicas.size} replicas, watched by ${place.sentinels.length} sentinels`
  return all.length > 0 ? all : ok(`${watched}, version ${versions}, noeviction`)
}

interface Word {
  primary?: RedisNode
  replicas: readonly RedisNode[]
  found: Found[]
}

async function askSentinel(sentinel: RedisNode, { name, sentinelPassword, tls }: SentinelPlace): Promise<Word> {
  const access = { tls, ...(sentinelPassword !== undefined && { password: sentinelPassword }) }
  const told = await visit(sentinel, access, async (redis) => {
    const address: unknown = await redis.call('SENTINEL', 'get-master-addr-by-name', name)
    const replicas: unknown = address === null ? [] : await redis.call('SENTINEL', 'replicas', name)
    return { address: readAddress(address), replicas: Array.isArray(replicas) ? replicas.flatMap(readReplica) : [] }
  })
  const label = nameOf(sentinel)
  if (told === null) {
    const problem = `sentinel ${label} does not answer, or refuses the password`
    return { replicas: [], found: wrong(problem, 'check that it runs and can be reached') }
  }
  if (told.address === undefined) {
    const problem = `sentinel ${label} does not know ${JSON.stringify(name)}`
    return { replicas: [], found: wrong(problem, 'check REDIS_SENTINEL_NAME') }
  }
  return { primary: told.address, replicas: told.replicas, found: [] }
}

function readAddress(answer: unknown): RedisNode | undefined {
  const [host, port] = Array.isArray(answer) ? (answer as unknown[]) : []
  return typeof host === 'string' && typeof port === 'string' ? { host, port: Number(port) } : undefined
}

/** Fields and values in turn, or a map of them in RESP3. */
function readReplica(answer: unknown): RedisNode[] {
  const flat: unknown[] = Array.isArray(answer) ? answer : Object.entries(answer ?? {}).flat()
  const field = (name: string) => flat[flat.indexOf(name) + 1]
  const [host, port] = [field('ip'), field('port')]
  return typeof host === 'string' && typeof port === 'string' ? [{ host, port: Number(port) }] : []
}

async function lookAt(
  node: RedisNode,
  primary: RedisNode,
  access: SentinelPlace,
): Promise<{ version: string; found: Found[] }> {
  const isPrimary = node === primary
  const name = `${isPrimary ? 'primary' : 'replica'} ${nameOf(node)}`
  const answer = await visit(node, access, askServer)
  if (answer !== null) return { version: answer.version, found: judgeServer(answer, `${name}: `) }
  const problem = `${name} does not answer, or refuses the user and password`
  const remedy = 'check that it runs and can be reached, REDIS_USERNAME, REDIS_PASSWORD and REDIS_TLS'
  return { version: 'unknown', found: isPrimary ? wrong(problem, remedy) : doubt(problem, remedy) }
}

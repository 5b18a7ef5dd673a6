import type { RedisAccess, RedisNode, RedisPlace } from '../../../platform/queue/redis.js'
import { readInfo } from '../../../platform/queue/redis-settings.js'
import { doubt, type Found, ok, wrong } from '../check.js'
import { askServer, judgeServer, nameOf, visit } from './server.js'

type ClusterPlace = Extract<RedisPlace, { kind: 'cluster' }>

/** Asks each node that the setting names, and each that the cluster knows. */
export async function examineCluster(place: ClusterPlace): Promise<Found[]> {
  const views = (await Promise.all(place.nodes.map((node) => viewFrom(node, place)))).filter((view) => view !== null)
  if (views.length === 0) {
    return wrong(
      'no node of REDIS_CLUSTER_NODES answers, or all refuse the user and password',
      'check REDIS_CLUSTER_NODES, REDIS_USERNAME, REDIS_PASSWORD and REDIS_TLS, and that this machine may connect',
    )
  }
  const view = views.find((each) => each !== 'no cluster')
  if (view === undefined) {
    return wrong('REDIS_CLUSTER_NODES names a Redis that is no cluster', 'set REDIS_URL instead of it')
  }
  const all = new Map([...place.nodes, ...view.nodes].map((node) => [nameOf(node), node]))
  const looks = await Promise.all([...all.values()].map((node) => lookAt(node, place)))
  const bad = [...judgeView(view), ...looks.flatMap(({ found }) => found)]
  const versions = [...new Set(looks.map(({ version }) => version))].join(' and ')
  const size = `${view.primaries.length} primaries and ${view.nodes.length - view.primaries.length} replicas`
  return bad.length > 0 ? bad : ok(`a cluster of ${size}, version ${versions}, noeviction`)
}

/** The cluster, as one of its nodes sees it. */
interface View {
  isWhole: boolean
  nodes: readonly RedisNode[]
  primaries: ReadonlyArray<{ name: string; replicas: number }>
}

async function viewFrom(node: RedisNode, access: RedisAccess): Promise<View | 'no cluster' | null> {
  return visit(node, access, async (redis) => {
    const info = await redis.cluster('INFO').catch(isNoCluster)
    if (info === 'no cluster') return info
    const read = readInfo(info)
    const shards = shardsOf(await redis.cluster('SLOTS'), node.host)
    return {
      isWhole: read('cluster_state') === 'ok' && read('cluster_slots_assigned') === '16384',
      nodes: [...new Map(shards.flat().map((each) => [nameOf(each), each])).values()],
      primaries: [...new Map(shards.map(([first, ...replicas]) => [first && nameOf(first), replicas.length]))].map(
        ([name, replicas]) => ({ name: name ?? 'unknown', replicas }),
      ),
    }
  })
}

function isNoCluster(failure: unknown): 'no cluster' {
  if (failure instanceof Error && failure.message.includes('cluster support disabled')) return 'no cluster'
  throw failure
}

/**
 * Of each range of slots: its primary, then its replicas. A node that does not know its own address is where it was asked.
 * https://redis.io/docs/latest/commands/cluster-slots/
 */
function shardsOf(slots: unknown, askedAt: string): RedisNode[][] {
  const ranges: unknown[] = Array.isArray(slots) ? slots : []
  return ranges.map((range) => (Array.isArray(range) ? range.slice(2).flatMap((node) => readNode(node, askedAt)) : []))
}

function readNode(node: unknown, askedAt: string): RedisNode[] {
  const [host, port] = Array.isArray(node) ? (node as unknown[]) : []
  return typeof port === 'number' ? [{ host: typeof host === 'string' && host !== '' ? host : askedAt, port }] : []
}

function judgeView({ isWhole, primaries }: View): Found[] {
  return [
    ...(isWhole
      ? []
      : wrong(
          'the cluster is not whole: some slots have no primary',
          'mend it: `redis-cli --cluster check` says more',
        )),
    ...primaries
      .filter(({ replicas }) => replicas === 0)
      .flatMap(({ name }) =>
        doubt(`${name} has no replica: while it is away, nothing of its slots is sent`, 'add a replica to it'),
      ),
  ]
}

async function lookAt(node: RedisNode, access: RedisAccess): Promise<{ version: string; found: Found[] }> {
  const name = nameOf(node)
  const answer = await visit(node, access, askServer)
  if (answer !== null) return { version: answer.version, found: judgeServer(answer, `${name}: `) }
  return {
    version: 'unknown',
    found: wrong(`${name} does not answer, or refuses the user and password`, 'check that it runs and can be reached'),
  }
}

import { claimForBatches } from '../../src/flow/orders/poll.js'
import { createPollClaim } from '../../src/flow/orders/poll-claim.js'
import type { Section } from '../support/report.js'
import { dueWithin } from './rows.js'
import { intervalMs, mostPerClaim, type Settings } from './settings.js'
import type { World } from './world.js'

/** A node of EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON); its buffers include those of the nodes below. */
interface Node {
  'Actual Loops': number
  'Shared Hit Blocks': number
  'Shared Read Blocks': number
  'Index Name'?: string
  Plans?: Node[]
}

interface Explained {
  state: string
  claimed: number
  buffers: number
  indexes: readonly string[]
}

const claim = claimForBatches(mostPerClaim, { leaseMs: 60_000 })
const few = 50
const byTime = 'poll_schedule_due_at_idx'
const byTenant = 'poll_schedule_tenant_key_due_at_idx'

/** (f) Which indexes a claim reads, how many buffers it touches, and how many it would without them. */
export async function plans(world: World, settings: Settings): Promise<Section> {
  await dueWithin(world, -60_000, intervalMs)
  const backlog = explainer(world)
  const all = [
    await backlog('all, the first claim'),
    await backlog('all, the claims after it'),
    await backlog('all, the claims after it', byTenant),
  ]
  await dueLater(world)
  const nothing = [await explainer(world)('nothing'), await explainer(world)('nothing', byTime)]
  await world.pool.query(
    `UPDATE poll_schedule SET due_at = now() - interval '1 minute' WHERE background_check_id IN
       (SELECT background_check_id FROM poll_schedule ORDER BY background_check_id LIMIT ${few})`,
  )
  return section(settings, [...all, await explainer(world)(String(few)), ...nothing])
}

/** Nothing is due within the benchmark. */
async function dueLater(world: World): Promise<void> {
  await dueWithin(world, 0, intervalMs)
  await world.pool.query(`UPDATE poll_schedule SET due_at = due_at + random() * interval '1 hour' + interval '1 hour'`)
  await world.pool.query('VACUUM ANALYZE poll_schedule')
}

/** A claimer whose claims are explained, `without` an index where that is named, taken back, and then made. */
function explainer({ pool }: World): (state: string, without?: string) => Promise<Explained> {
  let root: Node | undefined
  let missing: string | undefined
  const claimPolls = createPollClaim({
    pool: {
      query: async (text, values) => {
        root = await explain(pool, text, values, missing)
        return pool.query(text, values)
      },
    },
  })
  return async (state, without) => {
    missing = without
    const { rows } = await claimPolls(claim)
    if (root === undefined) throw new Error('no claim was made')
    const buffers = root['Shared Hit Blocks'] + root['Shared Read Blocks']
    const name = without === undefined ? state : `${state}, without \`${without}\``
    return { state: name, claimed: rows.length, buffers, indexes: [...new Set(indexesOf(root))].sort() }
  }
}

async function explain(pool: World['pool'], text: string, values: unknown[], without?: string): Promise<Node> {
  const client = await pool.connect()
  try {
    await client.query('BEGIN')
    if (without !== undefined) await client.query(`DROP INDEX ${without}`)
    const { rows } = await client.query<{ 'QUERY PLAN': Array<{ Plan: Node }> }>(
      `EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) ${text}`,
      values,
    )
    await client.query('ROLLBACK')
    const plan = rows[0]?.['QUERY PLAN'][0]?.Plan
    if (plan === undefined) throw new Error('PostgreSQL explained nothing')
    return plan
  } finally {
    client.release()
  }
}

function indexesOf(node: Node): string[] {
  const own = node['Index Name'] !== undefined && node['Actual Loops'] > 0 ? [node['Index Name']] : []
  return [...own, ...(node.Plans ?? []).flatMap(indexesOf)]
}

function section({ orders, tenants }: Settings, explained: readonly Explained[]): Section {
  const idle = explained.find(({ state }) => state === 'nothing')?.buffers ?? Number.NaN
  return {
    title: `(f) ${orders} open orders of ${tenants} tenants: what a claim of at most ${mostPerClaim} reads`,
    head: ['due', 'claimed', 'buffers', 'for each', 'indexes'],
    rows: explained.map(({ state, claimed, buffers, indexes }) => [
      state,
      String(claimed),
      String(buffers),
      claimed === 0 ? '' : (buffers / claimed).toFixed(1),
      indexes.map((name) => `\`${name}\``).join(', '),
    ]),
    aims: [{ what: 'nothing due costs a look at one index', figure: `${idle} buffers`, met: idle <= 10 }],
    notes: [
      'Shared buffers by `EXPLAIN (ANALYZE, BUFFERS)`, hit or read. Why these indexes, and what others cost: [decision 14](../docs/decisions/0014-turns-by-tenant-cost-what-is-claimed.md).',
    ],
  }
}

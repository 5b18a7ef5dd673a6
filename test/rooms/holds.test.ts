import { afterEach, beforeEach, expect, test } from 'vitest'
import { bucketOf, leaseDueBuckets } from '../../src/flow/outbox/buckets.js'
import { hold, release } from '../../src/flow/to-feishu/holds.js'
import { count, type Ground, layGround, one } from '../support/room.js'

let ground: Ground

beforeEach(async () => {
  ground = await layGround()
})
afterEach(() => ground.stop())

const agreementWrites = ['create', 'update', 'delete'].map((verb) => `tripartite_agreements.${verb}`)
const others = ['update_progress', 'cancel', 'packages.create']

/** A bucket of each method in which something is due; answers its id. */
async function fill(tenantKey: string, apis: readonly string[]): Promise<Map<string, number>> {
  const { pool } = ground.database
  const ids = new Map<string, number>()
  for (const api of apis) {
    const { id } = await bucketOf(pool, 'cli_a', tenantKey, api)
    await pool.query(
      `INSERT INTO deliveries (lane, seq, bucket_id, api, app_id, tenant_key, due_at) VALUES ($1, 1, $2, $1, 'cli_a', $3, now())`,
      [api, id, tenantKey],
    )
    ids.set(api, id)
  }
  return ids
}

/** What would be sent now. */
async function due(): Promise<string[]> {
  const { pool } = ground.database
  const owner = '00000000-0000-4000-8000-000000000001'
  const leased = await leaseDueBuckets(pool, owner, 60_000, 100, null)
  await pool.query('UPDATE buckets SET lease_owner = NULL, lease_until = NULL')
  return leased.map(({ tenantKey, api }) => `${tenantKey} ${api}`).toSorted()
}

const under = (tenantKey: string, apis: readonly string[]) => apis.map((api) => `${tenantKey} ${api}`).toSorted()

test('a hold on a family of methods is one, parks them all for its tenant, and one release frees them', async () => {
  const { pool } = ground.database
  const ids = await fill('tk_a', [...agreementWrites, ...others])
  await fill('tk_b', agreementWrites)
  const reason = { scope: 'method', family: true, code: 1_002_076, reason: 'the switch is off' } as const
  const held = await Promise.all(
    agreementWrites.map((api) => hold(pool, { appId: 'cli_a', tenantKey: 'tk_a', api }, reason)),
  )
  expect(held.filter(Boolean)).toHaveLength(1)
  expect(await count(ground.database, `holds WHERE api = 'tripartite_agreements' AND scope = 'method'`)).toBe(1)
  expect(await due()).toEqual([...under('tk_a', others), ...under('tk_b', agreementWrites)].toSorted())
  const { id } = await one<{ id: string }>(ground.database, 'SELECT id FROM holds')
  const freed = await release(pool, BigInt(id))
  expect(freed?.toSorted()).toEqual(agreementWrites.map((api) => ids.get(api)).toSorted())
  expect(await due()).toHaveLength(9)
})

test('a hold on one method leaves its family alone', async () => {
  const [update] = ['tripartite_agreements.update'] as const
  await fill('tk_a', agreementWrites)
  const reason = { scope: 'method', code: 99_991_672, reason: 'a scope is missing' } as const
  await hold(ground.database.pool, { appId: 'cli_a', tenantKey: 'tk_a', api: update }, reason)
  expect(await due()).toEqual(
    under(
      'tk_a',
      agreementWrites.filter((api) => api !== update),
    ),
  )
})

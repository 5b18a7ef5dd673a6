import { afterAll, beforeAll, expect, it } from 'vitest'
import { fairClaimSql, fairClaimValues } from '../../src/platform/database/fair-claim.js'
import { type Ground, layGround } from '../support/room.js'

const claimSql = fairClaimSql({ table: 'vendor_tasks', id: 'subject', set: 'claimed = true', returning: 'claimed.*' })
let room: Ground

beforeAll(async () => {
  room = await layGround()
})
afterAll(() => room.stop())

/** `count` tasks of a tenant that came due so many seconds ago. */
async function due(tenant: string, count: number, secondsAgo: number): Promise<void> {
  await room.database.pool.query(
    `INSERT INTO vendor_tasks (subject, action, tenant_key, due_at)
     SELECT $1 || ':' || n, 'place', $1, now() - $3 * interval '1 s' FROM generate_series(1, $2::int) n`,
    [tenant, count, secondsAgo],
  )
}

async function claim(most: number, calls: Record<string, number>, among: number, alone: number) {
  const inFlight = Object.entries(calls).flatMap(([tenant, count]) => Array.from({ length: count }, () => tenant))
  const values = fairClaimValues({ most, leaseMs: 60_000, inFlight, among, alone })
  const { rows } = await room.database.pool.query<{ tenant_key: string }>(claimSql, values)
  const counts: Record<string, number> = {}
  for (const { tenant_key } of rows) counts[tenant_key] = (counts[tenant_key] ?? 0) + 1
  return counts
}

it('goes by turns: what a quiet tenant has comes before the second row of a noisy one', async () => {
  await due('tk_noisy', 500, 600)
  await due('tk_quiet', 2, 1)
  expect(await claim(6, {}, 6, 6)).toEqual({ tk_noisy: 4, tk_quiet: 2 })
})

it('counts what is in flight already, and leaves a tenant no more than its part while others wait', async () => {
  await due('tk_other', 20, 1)
  expect(await claim(8, { tk_noisy: 4 }, 4, 12)).toEqual({ tk_other: 4 })
})

it('gives a tenant that is alone all but the reserve', async () => {
  await room.database.pool.query(`DELETE FROM vendor_tasks WHERE tenant_key <> 'tk_noisy'`)
  expect(await claim(16, { tk_noisy: 2 }, 4, 12)).toEqual({ tk_noisy: 10 })
})

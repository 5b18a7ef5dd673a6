import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type ClaimFairly, createFairClaim, type FairTable } from '../../src/platform/database/fair-claim.js'
import { explaining } from '../support/plans.js'
import { type Ground, layGround } from '../support/room.js'

interface Row {
  id: string
  tenant_key: string
}

const set = 'claimed = true'
const tasks: FairTable = {
  table: 'vendor_tasks',
  set,
  returning: 'subject AS id, tenant_key',
}
const polls: FairTable = {
  table: 'poll_schedule',
  byTime: true,
  set,
  returning: 'background_check_id AS id, tenant_key',
}
const columns = { vendor_tasks: `subject, action`, poll_schedule: `background_check_id, interval_ms` }
const defaults = { vendor_tasks: `'place'`, poll_schedule: '0' }
let room: Ground

beforeAll(async () => {
  room = await layGround()
  // What PostgreSQL knows of the tables is for the tests to say, and not for a vacuum that comes by.
  for (const table of Object.keys(columns)) {
    await room.database.pool.query(`ALTER TABLE ${table} SET (autovacuum_enabled = off)`)
  }
})
afterAll(() => room.stop())

describe.each([
  { name: 'with a look at every tenant', table: tasks },
  { name: 'with an index over time', table: polls },
])('a claim in turns, $name', ({ table }) => {
  const name = table.table as keyof typeof columns

  async function clear(): Promise<void> {
    await room.database.pool.query(`TRUNCATE ${name}`)
  }

  /** `count` rows of a tenant that came due so many seconds ago. */
  async function due(tenant: string, count: number, secondsAgo: number): Promise<void> {
    await room.database.pool.query(
      `INSERT INTO ${name} (${columns[name]}, tenant_key, due_at)
       SELECT $1 || ':' || n, ${defaults[name]}, $1, now() - $3 * interval '1 s' FROM generate_series(1, $2::int) n`,
      [tenant, count, secondsAgo],
    )
  }

  /** One tenant for each count. */
  async function backlog(counts: readonly number[]): Promise<void> {
    await room.database.pool.query(
      `INSERT INTO ${name} (${columns[name]}, tenant_key, due_at)
       SELECT t || ':' || n, ${defaults[name]}, to_hex(t) || '_tk', now() - random() * interval '1 min'
       FROM unnest($1::int[]) WITH ORDINALITY AS given (count, t), generate_series(1, count) n`,
      [counts],
    )
  }

  async function claim(
    claimer: ClaimFairly<Row>,
    most: number,
    calls: Record<string, number> = {},
    among = most,
    alone = most,
    together = 1,
  ) {
    const inFlight = Object.entries(calls).flatMap(([tenant, count]) => Array.from({ length: count }, () => tenant))
    return claimer(room.database.pool, { most, leaseMs: 60_000, inFlight, among, alone, together })
  }

  function countsOf(rows: readonly Row[]): Record<string, number> {
    const counts: Record<string, number> = {}
    for (const { tenant_key } of rows) counts[tenant_key] = (counts[tenant_key] ?? 0) + 1
    return counts
  }

  it('takes what a quiet tenant has before the second row of a noisy one', async () => {
    await clear()
    await due('tk_noisy', 500, 600)
    await due('tk_quiet', 2, 1)
    const { rows, isMore } = await claim(createFairClaim<Row>(table), 6)
    expect(countsOf(rows)).toEqual({ tk_noisy: 4, tk_quiet: 2 })
    expect(isMore).toBe(true)
  })

  it('counts what is in flight already, and leaves a tenant no more than its part while others wait', async () => {
    await clear()
    await due('tk_noisy', 500, 600)
    await due('tk_other', 20, 1)
    const { rows } = await claim(createFairClaim<Row>(table), 8, { tk_noisy: 4 }, 4, 12)
    expect(countsOf(rows)).toEqual({ tk_other: 4 })
  })

  it('gives a tenant that is alone all but the reserve', async () => {
    await clear()
    await due('tk_noisy', 500, 600)
    const { rows } = await claim(createFairClaim<Row>(table), 16, { tk_noisy: 2 }, 4, 12)
    expect(countsOf(rows)).toEqual({ tk_noisy: 10 })
  })

  it('says that something is left which no tenant may have more of', async () => {
    await clear()
    await due('tk_noisy', 6, 600)
    await due('tk_quiet', 1, 1)
    const { rows, isMore } = await claim(createFairClaim<Row>(table), 8, {}, 2, 6)
    expect(countsOf(rows)).toEqual({ tk_noisy: 2, tk_quiet: 1 })
    expect(isMore).toBe(true)
  })

  it('gives who claims at the same time the next rows', async () => {
    await clear()
    for (const tenant of ['tk_a', 'tk_b', 'tk_c']) await due(tenant, 20, 60)
    const others = await room.database.transaction(async (sql) => {
      const { rows } = await createFairClaim<Row>(table)(sql, { most: 6, leaseMs: 60_000, among: 6, alone: 6 })
      return { first: rows, second: (await claim(createFairClaim<Row>(table), 6)).rows }
    })
    expect(countsOf(others.second)).toEqual({ tk_a: 2, tk_b: 2, tk_c: 2 })
    expect(new Set([...others.first, ...others.second].map(({ id }) => id)).size).toBe(12)
  })

  it('takes what goes together of few tenants, then of the next ones', async () => {
    await clear()
    for (const tenant of ['tk_a', 'tk_b', 'tk_c', 'tk_d']) await due(tenant, 20, 60)
    const claimer = createFairClaim<Row>(table)
    const next = async () => Object.entries(countsOf((await claim(claimer, 6, {}, 6, 6, 3)).rows))
    const [first, second] = [await next(), await next()]
    expect([...first, ...second].map(([, count]) => count)).toEqual([3, 3, 3, 3])
    expect(new Set([...first, ...second].map(([tenant]) => tenant)).size).toBe(4)
  })

  it('visits more tenants for its rows once it has met some that have too few', async () => {
    await clear()
    for (let tenant = 0; tenant < 30; tenant += 1) await due(`tk_${tenant}`, 1, 60)
    const claimer = createFairClaim<Row>(table)
    const next = async () => (await claim(claimer, 8, {}, 8, 8, 4)).rows.length
    expect([await next(), await next(), await next()]).toEqual([2, 8, 8])
  })

  it('reads nothing of the tenants that lie behind the end of its round', async () => {
    await clear()
    await backlog(Array.from({ length: 20 }, () => 60))
    const { pool, counted } = explaining(room.database.pool)
    // Each begins where chance has it; all but those behind the last tenant end before some other.
    for (let claims = 0; claims < 5; claims += 1) {
      const claimer = createFairClaim<Row>({ ...table, byTime: false })
      await claimer(pool, { most: 40, leaseMs: 60_000, among: 40, alone: 40 })
    }
    expect(counted.unwanted).toBe(0)
  })

  it('finds nothing where nothing is due', async () => {
    await clear()
    await due('tk_later', 5, -3600)
    expect(await claim(createFairClaim<Row>(table), 8)).toEqual({ rows: [], isMore: false })
  })

  const backlogs = fc.array(fc.oneof(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 60 })), {
    minLength: 1,
    maxLength: 25,
  })

  it('serves every tenant before it has gone around once, whatever the others have', async () => {
    const mostAndTogether = fc.record({
      most: fc.integer({ min: 1, max: 12 }),
      together: fc.integer({ min: 1, max: 5 }),
    })
    await fc.assert(
      fc.asyncProperty(backlogs, mostAndTogether, async (counts, { most, together }) => {
        await clear()
        await backlog(counts)
        const claimer = createFairClaim<Row>(table)
        const served = new Set<string>()
        const visited = Math.ceil(most / together)
        for (let claims = 0; claims < Math.ceil(counts.length / visited); claims += 1) {
          const { rows } = await claim(claimer, most, {}, most, most, together)
          expect(rows.length).toBeLessThanOrEqual(most)
          for (const row of rows) served.add(row.tenant_key)
        }
        expect(served.size).toBe(counts.length)
      }),
      { numRuns: 25 },
    )
  })

  it('gives everything once to several claimers, and no tenant more than its part', async () => {
    const shares = fc.record({
      most: fc.integer({ min: 1, max: 12 }),
      among: fc.integer({ min: 1, max: 6 }),
      together: fc.integer({ min: 1, max: 5 }),
    })
    await fc.assert(
      fc.asyncProperty(backlogs, shares, async (counts, { most, among, together }) => {
        await clear()
        await backlog(counts)
        const claimers = [createFairClaim<Row>(table), createFairClaim<Row>(table)]
        const seen: string[] = []
        const alone = Math.max(among, most)
        for (let found = -1; found !== seen.length; ) {
          found = seen.length
          const both = await Promise.all(claimers.map((each) => claim(each, most, {}, among, alone, together)))
          for (const { rows } of both) {
            const parts = Object.values(countsOf(rows))
            if (parts.length > 1) expect(Math.max(...parts)).toBeLessThanOrEqual(among)
            seen.push(...rows.map(({ id }) => id))
          }
        }
        expect(new Set(seen).size).toBe(seen.length)
        expect(seen).toHaveLength(counts.reduce((sum, count) => sum + count, 0))
      }),
      { numRuns: 20 },
    )
  })
})

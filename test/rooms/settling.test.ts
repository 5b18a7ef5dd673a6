import { afterAll, beforeAll, expect, it } from 'vitest'
import type { AgreementKey } from '../../src/flow/agreements/lanes.js'
import { laneOfAgreement } from '../../src/flow/agreements/lanes.js'
import { claimHeads } from '../../src/flow/outbox/claim.js'
import type { LaneKeeper } from '../../src/flow/outbox/keepers.js'
import { putBehind } from '../../src/flow/outbox/put-other.js'
import type { Settlement } from '../../src/flow/outbox/settlement.js'
import { settleThroughOutages } from '../../src/flow/to-feishu/settling.js'
import { SealError } from '../../src/platform/crypto/sealer.js'
import type { Sql } from '../../src/platform/database/database.js'
import { freshId, type Ground, layGround } from '../support/room.js'

let ground: Ground

beforeAll(async () => {
  ground = await layGround()
})

afterAll(() => ground.stop())

/** One change of each of these agreements was sent and answered with yes. */
async function answered(tenantKeys: readonly string[]): Promise<Settlement[]> {
  const { database, sealer } = ground
  const all: Settlement[] = []
  for (const tenantKey of tenantKeys) {
    const agreement: AgreementKey = { appId: 'cli_a', tenantKey, id: freshId() }
    const body = { tripartite_agreement_id: agreement.id, state: 1, modify_time: '1767315600000' }
    const content = { api: 'tripartite_agreements.update', body } as const
    const { buckets } = await database.transaction((sql) =>
      putBehind(sql, sealer, laneOfAgreement(agreement), [{ content }]),
    )
    const [claim] = await claimHeads(database.pool, buckets[0] ?? 0, 1, 60_000)
    if (claim === undefined) throw new Error('nothing to claim')
    const { id, fence, lane } = claim
    const yes = { to: 'delivered', confirmed: true, heldForApproval: false } as const
    all.push({ ...yes, id, fence, lane, backgroundCheckId: null, callMsAgo: 5, lastError: null })
  }
  return all
}

const failures: Record<string, (sql: Sql) => Promise<unknown>> = {
  'a value that PostgreSQL does not take': (sql) => sql.query('SELECT $1::text', ['\0']),
  'a row that no key opens': () => Promise.reject(new SealError('the key is not known')),
}

it.each(Object.entries(failures))('writes down what others were answered beside %s, at once', async (_what, fail) => {
  const { database, sealer, log } = ground
  const batch = await answered(['tk_a', 'tk_bad', 'tk_b', 'tk_c'].map((key) => `${key}_${freshId()}`))
  const bad = batch[1]?.id
  const keeper: LaneKeeper = {
    prefix: 'agreement:',
    settled: async (sql, deliveries) => {
      if (deliveries.some((each) => each.id === bad)) await fail(sql)
    },
    revive: async () => ({ kind: 'unknown' }),
  }
  const { settled } = await settleThroughOutages({ database, sealer, log, keepers: [keeper] }, batch)
  const states = new Map(settled.map(({ id, state }) => [id, state]))
  expect(batch.map(({ id }) => states.get(id))).toEqual(['delivered', 'dead', 'delivered', 'delivered'])
  const { rows } = await database.pool.query('SELECT dead_class, last_error FROM deliveries WHERE id = $1', [bad])
  expect(rows).toMatchObject([{ dead_class: 'unconfirmed', last_error: { class: 'unconfirmed' } }])
})

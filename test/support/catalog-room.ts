import { isCatalogCall } from '../../src/flow/catalog/lane.js'
import { offerCatalog } from '../../src/flow/catalog/offer.js'
import { type CatalogRow, lookAtRow } from '../../src/flow/catalog/rows.js'
import { catalogKeeper } from '../../src/flow/catalog/settled.js'
import type { Catalog, CatalogCall } from '../../src/flow/catalog/shapes.js'
import { relabelFields, type Wanted, wantCatalog } from '../../src/flow/catalog/sync.js'
import { laneOfAccount } from '../../src/flow/map.js'
import { openOtherBody } from '../../src/flow/outbox/bodies.js'
import { type Claim, claimHeads } from '../../src/flow/outbox/claim.js'
import { reviveDelivery } from '../../src/flow/outbox/revive.js'
import { settleDeliveries } from '../../src/flow/outbox/settle.js'
import { decide } from '../../src/flow/to-feishu/decide.js'
import type { FeishuReply } from '../../src/flow/to-feishu/reply.js'
import { asUpdate, caller, mend, type StrictFeishu } from './catalog.js'
import { freshId, type Ground } from './room.js'

/** What an attempt meets. `crash_*`: the process dies before or after the call took effect. */
export type Fault = (typeof faults)[number] | 'none'
export const faults = [
  'lost_before',
  'lost_after',
  'crash_before',
  'crash_after',
  'error_500',
  'refused',
  'expired',
] as const

const terms = { baseMs: 1, maxMs: 1, maxAgeMs: 1_000_000 }

/** The catalog of one account on a real database: what is asked for, and attempts one by one as a pump makes them. */
export async function catalogRoom({ database, sealer }: Ground, feishuOf: (accountId: string) => StrictFeishu) {
  const accountId = freshId()
  const feishu = feishuOf(accountId)
  const keepers = [catalogKeeper(sealer)]
  await database.pool.query(
    `INSERT INTO accounts (account_id, app_id, tenant_key, name, usage_list, state) VALUES ($1, $2, $3, '', '{}', 'confirmed')`,
    [accountId, caller.appId, caller.tenantKey],
  )
  const want = (
    catalog: Partial<Catalog>,
    how: { allow?: boolean; adopt?: boolean; dryRun?: boolean } = {},
  ): Promise<Wanted> => {
    const { allow: allowIrreversible = false, adopt = false, dryRun = false } = how
    return database.transaction((sql) =>
      wantCatalog(sql, sealer, accountId, { catalog, allowIrreversible, adopt, dryRun }),
    )
  }
  const settleWith = async (claim: Claim, reply: FeishuReply, isProbe: boolean) => {
    const { settled, lastError } = decide(claim, reply, terms, 0, 0.5, isProbe)
    const { id, fence, lane, backgroundCheckId } = claim
    const settlement = { id, fence, lane, backgroundCheckId, callMsAgo: 0, lastError, ...settled }
    await settleDeliveries(database, [settlement], { sealer, keepers })
  }
  const bodyOf = ({ lane, api, bodySealed }: Claim): CatalogCall => {
    const content = openOtherBody(sealer, lane, api, bodySealed ?? Buffer.alloc(0))
    if (isCatalogCall(content)) return content
    throw new Error(`${api} lies in the lane of an account`)
  }
  const claimOne = async (): Promise<{ claim: Claim; isProbe: boolean } | null> => {
    await database.pool.query(`UPDATE deliveries SET due_at = now() WHERE due_at IS NOT NULL`)
    const buckets = await database.pool.query<{ id: number; api: string }>('SELECT id, api FROM buckets')
    for (const { id, api } of buckets.rows) {
      const [claim] = await claimHeads(database.pool, id, 1, 600_000)
      if (claim !== undefined) return { claim, isProbe: claim.api !== api }
    }
    return null
  }
  /** One attempt of whatever is due; false: nothing is. */
  const turn = async (fault: Fault = 'none'): Promise<boolean> => {
    const claimed = await claimOne()
    if (claimed === null) return false
    const { claim, isProbe } = claimed
    const content = bodyOf(claim)
    const call = isProbe ? asUpdate(content) : content
    if (fault === 'lost_after' || fault === 'crash_after') feishu.take(call)
    if (fault.startsWith('crash')) return true
    await settleWith(fault === 'expired' ? { ...claim, ageMs: terms.maxAgeMs } : claim, replyTo(call, fault), isProbe)
    return true
  }
  const replyTo = (call: CatalogCall, fault: Fault): FeishuReply => {
    if (fault === 'lost_before' || fault === 'lost_after') return { kind: 'lost', message: 'no answer' }
    if (fault === 'error_500') return { kind: 'answer', httpStatus: 500, code: 1002001 }
    if (fault === 'refused') return { kind: 'answer', httpStatus: 400, code: 99992402 }
    if (fault === 'expired') return { kind: 'not_sent', message: 'refused' }
    const { code, http: httpStatus } = feishu.take(call)
    return { kind: 'answer', httpStatus, code }
  }
  const row = async (): Promise<CatalogRow> => {
    const found = await lookAtRow(database.pool, accountId)
    if (found === null) throw new Error('the account has no catalog')
    return found.row
  }
  return {
    accountId,
    feishu,
    want,
    turn,
    row,
    /** As an operator who takes what complaints propose. Answers the catalog that was taken. */
    async insist(catalog: Catalog): Promise<Catalog> {
      let wanted = catalog
      for (let round = 0; round < 9; round += 1) {
        const answer = await want(wanted, { allow: true })
        if (answer.kind === 'wanted') return wanted
        if (answer.kind !== 'refused') throw new Error(answer.kind)
        wanted = answer.complaints.reduce(mend, wanted)
      }
      throw new Error('the proposals do not lead out')
    },
    offer: (catalog: unknown) => database.transaction((sql) => offerCatalog(sql, sealer, accountId, catalog)),
    patch: (body: unknown) => database.transaction((sql) => relabelFields(sql, sealer, accountId, body)),
    revive: (id: string) => database.transaction((sql) => reviveDelivery(sql, sealer, keepers, id)),
    async untilIdle(): Promise<void> {
      for (let turns = 0; await turn(); turns += 1) if (turns > 100) throw new Error('it never ends')
    },
    async rows(): Promise<Array<{ id: string; api: string; state: string; dead_class: string | null }>> {
      const text = 'SELECT id, api, state, dead_class FROM deliveries WHERE lane = $1 ORDER BY seq'
      return (await database.pool.query(text, [laneOfAccount(accountId)])).rows
    },
    async states(): Promise<string[]> {
      return (await this.rows()).map(({ api, state }) => `${api} ${state}`)
    },
  }
}

export type CatalogRoom = Awaited<ReturnType<typeof catalogRoom>>

import type { Sealer } from '../../platform/crypto/sealer.js'
import type { Database } from '../../platform/database/database.js'
import type { Logger } from '../../platform/logger.js'
import type { VendorAdapter, VendorAgreement } from '../vendor/adapter.js'
import { type Follower, startFollower } from '../vendor/follow.js'
import { appOfTenant } from './app-of-tenant.js'
import { type Change, changeAgreement, earliest } from './change.js'

export interface AgreementsFeedOptions {
  database: Database
  sealer: Sealer
  vendor: VendorAdapter
  log: Logger
  /** Apps of this service, one of which a tenant has. */
  appIds: readonly string[]
  /** Between two looks at a feed that was read to its end. */
  everyMs: number
  /** Whether the vendor has a feed of agreements. */
  isOffered: () => boolean
  onReady: (buckets: readonly number[]) => void
  onChange?: (outcome: ChangeOutcome) => void
  /** The feed cannot be read, or can again. */
  onBroken?: (reason: string) => Promise<void>
  onFound?: () => Promise<void>
  onFailure?: (name: string) => void
}

/** What became of one change. The first is sent; `older`, `unchanged` and `deleted` are what a feed read twice brings. */
export type ChangeOutcome = Change['kind'] | PassedOver
type PassedOver = keyof typeof passedOver

const passedOver = {
  unreadable: 'an agreement of the vendor has no id of digits, no state from 1 to 9, or a time that cannot be true',
  unknown_tenant: 'an agreement of the vendor is of a tenant that is not known here',
  several_apps: 'an agreement of the vendor is of a tenant that has several apps here',
}

/** Follows the vendor's feed of tripartite agreements: each change goes the way that an operator's would. */
export function startAgreementsFeed(options: AgreementsFeedOptions): Follower {
  const { database, log, vendor, isOffered, everyMs, onBroken, onFound, onFailure } = options
  const told = createOnce()
  return startFollower<VendorAgreement>({
    feed: 'agreements',
    name: 'agreements-feed',
    database,
    log,
    everyMs,
    isOffered,
    read: async (cursor, signal) => {
      const answer = await vendor.agreements?.(cursor, { signal })
      if (answer === undefined) return { kind: 'final', message: 'the adapter has no agreements' }
      if (answer.kind !== 'ok') return answer
      const { agreements: items, ...page } = answer.value
      return { kind: 'ok', value: { ...page, items } }
    },
    take: async (agreements) => {
      for (const agreement of agreements) {
        const outcome = await takeChange(options, agreement)
        options.onChange?.(outcome)
        if (isPassedOver(outcome)) warnOnce(log, told, agreement, outcome)
      }
    },
    passOver: async (entries) => {
      for (const { id, complaint } of entries) {
        options.onChange?.('unreadable')
        if (told(`${id ?? ''} ${complaint}`)) continue
        const line = { event: 'agreements.passed_over', agreement_id: id, complaint, reason: 'unreadable' }
        log.warn(line, passedOver.unreadable)
      }
    },
    ...(onBroken && { onBroken }),
    ...(onFound && { onFound }),
    ...(onFailure && { onFailure }),
  })
}

async function takeChange(options: AgreementsFeedOptions, agreement: VendorAgreement): Promise<ChangeOutcome> {
  const { database, sealer, appIds, onReady } = options
  const { id, tenantKey, state, modifyTime } = agreement
  const now = Date.now()
  if (!isReadable(agreement, now)) return 'unreadable'
  const app = await appOfTenant(database.pool, appIds, tenantKey)
  if (app.kind !== 'app') return app.kind === 'several' ? 'several_apps' : 'unknown_tenant'
  const key = { appId: app.appId, tenantKey, id }
  const changed = await database.transaction((sql) => changeAgreement(sql, sealer, key, { state, modifyTime }, now))
  if (changed.kind === 'put') onReady(changed.buckets)
  return changed.kind
}

const dayMs = 86_400_000

/** What an own adapter answers was not checked before. Control characters cannot be kept, and no tenant's key has any. */
function isReadable({ id, tenantKey, state, modifyTime }: VendorAgreement, now: number): boolean {
  return (
    /^[0-9]{1,32}$/.test(id) &&
    /^[^\p{Cc}\p{Cs}]{1,200}$/u.test(tenantKey) &&
    Number.isInteger(state) &&
    state >= 1 &&
    state <= 9 &&
    Number.isSafeInteger(modifyTime) &&
    modifyTime >= earliest &&
    modifyTime <= now + dayMs
  )
}

function isPassedOver(outcome: ChangeOutcome): outcome is PassedOver {
  return outcome in passedOver
}

function warnOnce(
  log: Logger,
  told: (what: string) => boolean,
  { id, tenantKey }: VendorAgreement,
  outcome: PassedOver,
): void {
  if (told(`${tenantKey} ${id} ${outcome}`)) return
  const line = { event: 'agreements.passed_over', agreement_id: id, tenant_key: tenantKey, reason: outcome }
  log.warn(line, passedOver[outcome])
}

const mostRemembered = 10_000

/** Whether something was asked about before, as far as is remembered. */
function createOnce(): (what: string) => boolean {
  const seen = new Set<string>()
  return (what) => {
    if (seen.has(what)) return true
    if (seen.size >= mostRemembered) seen.clear()
    seen.add(what)
    return false
  }
}

import type { SandboxAccount } from './catalog.js'
import type { Person, SandboxOrder } from './orders.js'

export type AccountInput = {
  appId: string
  tenantKey: string
  accountName?: string
  /** 1 background check, 2 exam. */
  scope?: 1 | 2
  usageList?: readonly number[]
  /** What the customer typed. */
  customFields?: ReadonlyArray<{ key: string; value: string }>
  accountId?: string
  /** Makes the event without sending it: send it with `redeliver`, or never. */
  hold?: boolean
}
export type OrderInput = {
  appId: string
  tenantKey: string
  accountId: string
  packageId?: string
  additionalItemIds?: readonly string[]
  comment?: string
  candidate?: Person
  contact?: Person
  customFields?: ReadonlyArray<{ key: string; value: string }>
  applicationId?: string
  backgroundCheckId?: string
  hold?: boolean
  /** Ordered from another provider: it is only seen in order reads, and its event goes to nobody. */
  otherProvider?: boolean
}
export type RawEventInput = {
  appId: string
  tenantKey: string
  eventType: string
  event: unknown
  eventId?: string
  hold?: boolean
}
export type UrlVerification = { ok: boolean; httpStatus?: number; body?: string; reason?: string; ms: number }

const demoCandidate: Person = {
  name: 'Lin Demo',
  mobile: { code: '86', number: '13000000000' },
  email: 'lin.demo@example.com',
  first_name: 'Demo',
  last_name: 'Lin',
}
const demoContact: Person = {
  name: 'Hr Demo',
  mobile: { code: '86', number: '13100000000' },
  email: 'hr.demo@example.com',
}

export function newAccount(input: AccountInput, accountId: string): SandboxAccount {
  const { appId, tenantKey, scope = 1, accountName = `BGC account ${accountId.slice(-4)}` } = input
  return {
    accountId,
    appId,
    tenantKey,
    scope,
    name: accountName,
    packages: [],
    additionalItems: [],
    customFields: [],
    deletedPackages: [],
    deletedAdditionalItems: [],
    deletedFieldKeys: [],
  }
}

export function newOrder(input: OrderInput, backgroundCheckId: string): SandboxOrder {
  const { appId, tenantKey, accountId, additionalItemIds = [], customFields = [], applicationId } = input
  return {
    backgroundCheckId,
    appId,
    tenantKey,
    accountId,
    packageId: input.packageId ?? 'pkg-std-01',
    additionalItemIds: [...additionalItemIds],
    comment: input.comment ?? '',
    candidate: input.candidate ?? demoCandidate,
    contact: input.contact ?? demoContact,
    customFields: [...customFields],
    status: 'arranged',
    stages: [],
    createdAt: Date.now(),
    updatedAt: Date.now(),
    otherProvider: input.otherProvider ?? false,
    ...(applicationId === undefined ? {} : { applicationId }),
  }
}

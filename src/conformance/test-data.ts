import { randomBytes, randomInt } from 'node:crypto'
import type { AccountToBind, OrderToPlace, Person } from '../flow/vendor/adapter.js'
import type { ConformanceOptions } from './options.js'

/** Begins every id that is invented: 19 digits as Feishu's have, which no check of Feishu's begins with. */
export const idPrefix = '1000'

const tenant = 'tk_bgc_vendor_check'
const comment = 'placed by bgc vendor check on a test system; it is canceled at the end'

/** The people of docs/vendor-api.md. */
const candidate: Person = {
  name: 'Lin Demo',
  firstName: 'Demo',
  lastName: 'Lin',
  email: 'lin.demo@example.com',
  mobile: { code: '86', number: '13000000000' },
}
const contact: Person = {
  name: 'Hr Demo',
  email: 'hr.demo@example.com',
  mobile: { code: '86', number: '13100000000' },
}

export interface TestData {
  account: AccountToBind
  /** Each call makes another check's order; `sparse`: with nothing that Feishu may leave out. */
  order(kind?: 'full' | 'sparse'): OrderToPlace
  /** The id of a check or an account that nobody has. */
  newId(): string
}

export function makeTestData(options: ConformanceOptions): TestData {
  const begin = Date.now()
  // Two runs may begin in one millisecond.
  const lane = randomInt(10)
  let used = 0
  const newId = () => `${idPrefix}${begin + Math.floor(used / 10)}${lane}${used++ % 10}`
  const account: AccountToBind = {
    accountId: newId(),
    tenantKey: options.tenantKey ?? tenant,
    accountName: 'bgc vendor check (test)',
    usageList: [1, 2],
    customFields: { ...options.accountFields },
  }
  const accountId = options.accountId ?? account.accountId
  const { tenantKey } = account
  const order = (kind: 'full' | 'sparse' = 'full'): OrderToPlace => ({
    backgroundCheckId: newId(),
    accountId,
    tenantKey,
    packageId: options.packageId ?? 'bgc-check',
    additionalItemIds: [...(options.additionalItemIds ?? [])],
    candidate: kind === 'full' ? candidate : {},
    contact: kind === 'full' ? contact : {},
    customFields: { ...options.orderFields },
    comment: kind === 'full' ? comment : '',
  })
  return { account, order, newId }
}

/** An id of the same kind as one that exists, so that it is looked up and not refused for its looks. */
export function idLike(orderId: string): string {
  const digits = /\d+$/.exec(orderId)?.[0] ?? ''
  const head = orderId.slice(0, orderId.length - digits.length)
  // A short number counts up: one far ahead is free, and still fits into 32 bits.
  if (digits !== '' && digits.length < 9) return `${head}9${String(randomInt(1e8)).padStart(8, '0')}`
  const kept = Math.max(0, orderId.length - 12)
  return orderId.slice(0, kept) + orderId.slice(kept).replaceAll(/[0-9a-zA-Z]/g, anotherOf)
}

/** Hexadecimal stays so. */
function anotherOf(character: string): string {
  const alphabet = [/[0-9]/, /[a-f]/, /[A-F]/, /[a-z]/, /[A-Z]/].find((kind) => kind.test(character))
  const all = [...'0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ'].filter((one) => alphabet?.test(one))
  return all[randomInt(all.length)] ?? character
}

/** A cursor that no vendor gave. */
export const newCursor = () => `bgc-vendor-check-${randomBytes(6).toString('hex')}`

import type { KeyedHash, Sealer } from '../../platform/crypto/sealer.js'
import type { Sql } from '../../platform/database/database.js'
import type { OrderToPlace } from '../vendor/adapter.js'

/**
 * Exact search for a candidate by phone number or mail address, without keeping either: keyed hashes of what was
 * normalised. Written in the transaction that keeps the order's payload, gone with its erasure.
 */
export type ContactKind = 'mobile' | 'email'

export interface ContactHash {
  kind: ContactKind
  keyId: string
  hash: Buffer
}

const purpose = 'order-contact'

/** The rows that an order has in `order_contacts`, hashed under the key that seals first. */
export function contactHashes(sealer: Sealer, { candidate }: Pick<OrderToPlace, 'candidate'>): ContactHash[] {
  const email = emailOf(candidate.email ?? '')
  const mobiles = mobilesOf(candidate.mobile ?? {})
  return [
    ...mobiles.flatMap((mobile) => first(sealer, 'mobile', mobile)),
    ...(email === '' ? [] : first(sealer, 'email', email)),
  ]
}

/** The hashes, under every key that there is, that a candidate with this number or address has one of; none: it is none. */
export function searchHashes(sealer: Sealer, kind: ContactKind, given: string): Buffer[] {
  const wanted = kind === 'email' ? emailOf(given) : mobileOf(given)
  return wanted === '' ? [] : hashesOf(sealer, kind, wanted).map(({ hash }) => hash)
}

/** Whether it can be a phone number at all, however it is set. */
export function isMobile(given: string): boolean {
  return /^\d{5,20}$/.test(digitsOf(given)) && /^[\d\s+().\-/]*$/.test(given.normalize('NFKC'))
}

/** Replaces nothing: an order is received once. Sorted by what is unique, as whoever writes several rows does. */
export async function keepContacts(
  sql: Sql,
  backgroundCheckId: string,
  contacts: readonly ContactHash[],
): Promise<void> {
  if (contacts.length === 0) return
  const sorted = contacts.toSorted((one, other) => Buffer.compare(one.hash, other.hash))
  await sql.query({
    name: 'keep-contacts',
    text: `INSERT INTO order_contacts (hash, background_check_id, kind, key_id)
     SELECT w.hash, $1, w.kind, w.key_id FROM unnest($2::bytea[], $3::text[], $4::text[]) AS w (hash, kind, key_id)
     ON CONFLICT DO NOTHING`,
    values: [
      backgroundCheckId,
      sorted.map((each) => each.hash),
      sorted.map((each) => each.kind),
      sorted.map((each) => each.keyId),
    ],
  })
}

function first(sealer: Sealer, kind: ContactKind, value: string): ContactHash[] {
  return hashesOf(sealer, kind, value)
    .slice(0, 1)
    .map((hashed) => ({ kind, ...hashed }))
}

function hashesOf(sealer: Sealer, kind: ContactKind, value: string): KeyedHash[] {
  return sealer.hashes(`${kind}:${value}`, purpose)
}

/** Nobody's address differs from another one's by the case of its letters alone. */
function emailOf(given: string): string {
  return given.normalize('NFKC').trim().toLowerCase()
}

const china = '86'
const chineseDigits = 11

/**
 * What a number is found by: whole, with a plus and its country's code, and as digits, as it may be dialled at home. Feishu
 * gives the code without a plus (contract §1.3); a number without one is taken as a Chinese one where it looks like a mobile
 * number there. Then it is whole for a search, too: +1 380 013 8000 has the same digits as 138 0013 8000, and is another person's.
 */
function mobilesOf({ code = '', number = '' }: { code?: string; number?: string }): string[] {
  const digits = digitsOf(number)
  if (digits === '') return []
  const country = digitsOf(code) || countryOf(digits)
  const isWhole = hasPlus(number) || digitsOf(code) === ''
  const atHome = isWhole && digits.startsWith(country) ? digits.slice(country.length) : digits
  // Many countries dial a zero first that the code takes the place of; some keep it behind the code.
  const whole = [country + atHome, country + withoutZero(atHome)]
  const dialled = [digits, atHome, withoutZero(atHome), ...whole]
  // A search asks for no digits that look like a Chinese mobile number.
  const all = [...whole.map((each) => `+${each}`), ...dialled.filter((each) => each !== '' && countryOf(each) === '')]
  return [...new Set(all)]
}

/** What a search asks for, in the same words. */
function mobileOf(given: string): string {
  const digits = digitsOf(given)
  if (digits === '') return ''
  if (hasPlus(given)) return `+${digits}`
  return countryOf(digits) === '' ? digits : `+${china}${digits.slice(-chineseDigits)}`
}

function countryOf(digits: string): string {
  return /^(?:86)?1\d{10}$/.test(digits) ? china : ''
}

function withoutZero(digits: string): string {
  return digits.replace(/^0/, '')
}

/** Two zeros stand for a plus. */
function hasPlus(number: string): boolean {
  return /^(?:[^\d]*\+|[^\d]*00)/.test(number.normalize('NFKC'))
}

/** The digits of a number however it is set; the two zeros that stand for a plus are none of it. */
function digitsOf(given: string): string {
  return given.normalize('NFKC').replaceAll(/\D/g, '').replace(/^00/, '')
}

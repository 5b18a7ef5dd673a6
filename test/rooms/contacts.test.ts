import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { cancelByCustomer } from '../../src/flow/orders/cancel.js'
import { receiveOrder } from '../../src/flow/orders/receive.js'
import { contactHashes } from '../../src/flow/personal-data/contacts.js'
import { findByContact } from '../../src/flow/personal-data/search.js'
import type { Person } from '../../src/flow/vendor/adapter.js'
import { createSealer, type Sealer } from '../../src/platform/crypto/sealer.js'
import { who } from '../support/erasure-room.js'
import { origin } from '../support/lane-room.js'
import { orderToPlace } from '../support/order-to-place.js'
import { count, freshId, type Ground, layGround, one } from '../support/room.js'

let ground: Ground
beforeAll(async () => {
  ground = await layGround()
})
afterAll(() => ground.stop())

async function receive(candidate: Person, sealer: Sealer = ground.sealer): Promise<string> {
  const order = orderToPlace(freshId(), { candidate })
  await ground.database.transaction((sql) => receiveOrder(sql, sealer, origin, order))
  return order.backgroundCheckId
}
const find = (kind: 'mobile' | 'email', value: string, sealer: Sealer = ground.sealer) =>
  ground.database.transaction((sql) => findByContact(sql, sealer, { kind, value }, who))

let numbers = 0
/** A Chinese mobile number that no other test has. */
function freshNumber(): string {
  numbers += 1
  return `138${String(numbers).padStart(8, '0')}`
}
const spaced = (number: string) => `${number.slice(0, 3)} ${number.slice(3, 7)}-${number.slice(7)}`
const wide = (text: string) => text.replaceAll(/\d/g, (digit) => String.fromCodePoint(0xff10 + Number(digit)))

describe('a candidate is found by the phone number', () => {
  test.each([
    ['as it is dialled at home', (number: string) => number],
    ['with spaces and dashes', spaced],
    ['with a plus and the code', (number: string) => `+86 ${spaced(number)}`],
    ['with the code alone', (number: string) => `86${number}`],
    ['with two zeros and the code', (number: string) => `0086${number}`],
    ['in wide digits', wide],
  ])('%s', async (_how, write) => {
    const number = freshNumber()
    const ids = [
      await receive({ mobile: { code: '86', number } }),
      await receive({ mobile: { code: '+86', number: spaced(number) } }),
      await receive({ mobile: { number } }),
      await receive({ mobile: { number: `+86${number}` } }),
      await receive({ mobile: { code: '86', number: `+86 ${number}` } }),
    ]
    await receive({ mobile: { code: '86', number: freshNumber() } })
    expect((await find('mobile', write(number))).toSorted()).toEqual(ids)
  })

  test('of another country, with the zero that is dialled there and without', async () => {
    const id = await receive({ mobile: { code: '44', number: '07700 900123' } })
    for (const number of ['07700 900123', '+44 7700 900123', '+44 (0)7700 900123', '7700900123']) {
      expect(await find('mobile', number)).toEqual([id])
    }
  })

  test('and not by that of another country that has the same digits', async () => {
    const [here, there] = ['13800138000', '3800138000']
    const chinese = [
      await receive({ mobile: { code: '86', number: here } }),
      await receive({ mobile: { number: here } }),
    ]
    const american = await receive({ mobile: { code: '1', number: there } })
    for (const number of [here, `+86 ${here}`, `0086${here}`]) {
      expect((await find('mobile', number)).toSorted()).toEqual(chinese)
    }
    for (const number of [there, `+1 ${there}`, `001${there}`, `+1${there}`]) {
      expect(await find('mobile', number)).toEqual([american])
    }
  })

  test('and not by a part of it, by the same digits of another country, or by nothing', async () => {
    const number = freshNumber()
    await receive({ mobile: { code: '86', number } })
    await receive({ mobile: { code: '86', number: '' } })
    for (const other of [number.slice(1), `${number}0`, `+1 ${number}`, '', '+', '86']) {
      expect(await find('mobile', other)).toEqual([])
    }
  })
})

describe('a candidate is found by the mail address', () => {
  test('whatever the case, the width and the blanks around', async () => {
    const id = await receive({ email: ' Lin.Demo@Example.com' })
    for (const email of ['lin.demo@example.com', 'LIN.DEMO@EXAMPLE.COM ', 'Ｌin.demo@example.com']) {
      expect(await find('email', email)).toEqual([id])
    }
    expect(await find('email', 'lin.demo@example.co')).toEqual([])
    expect(await find('mobile', 'lin.demo@example.com')).toEqual([])
  })
})

test('a check that was stopped before its order came is found, and named once for number and code', async () => {
  const order = orderToPlace(freshId(), { candidate: { mobile: { code: '86', number: freshNumber() } } })
  const { backgroundCheckId: id } = order
  await ground.database.transaction((sql) => cancelByCustomer(sql, ground.sealer, origin, id, ''))
  await ground.database.transaction((sql) => receiveOrder(sql, ground.sealer, origin, order))
  expect(await find('mobile', order.candidate.mobile?.number ?? '')).toEqual([id])
})

test('hashes are made with the first key, and found with every key that there is', async () => {
  const [old, young] = [1, 2].map((byte) => ({ id: `key-${byte}`, key: Buffer.alloc(32, byte) }))
  if (!old || !young) throw new Error('no keys')
  const number = freshNumber()
  const before = await receive({ mobile: { code: '86', number } }, createSealer([old]))
  const both = createSealer([young, old])
  const after = await receive({ mobile: { code: '86', number } }, both)
  expect((await find('mobile', number, both)).toSorted()).toEqual([before, after])
  expect(await find('mobile', number, createSealer([young]))).toEqual([after])
  const hashes = contactHashes(both, { candidate: { mobile: { code: '86', number } } })
  expect(new Set(hashes.map((each) => each.keyId))).toEqual(new Set(['key-2']))
})

test('without any key they are hashes all the same, and a key that comes later finds them', async () => {
  const plain = createSealer([])
  const id = await receive({ email: 'plain@example.com' }, plain)
  const row = await one<{ hash: Buffer; key_id: string }>(
    ground.database,
    'SELECT hash, key_id FROM order_contacts WHERE background_check_id = $1',
    [id],
  )
  expect([row.key_id, row.hash.length, row.hash.toString('latin1')]).toEqual([
    '',
    32,
    expect.not.stringContaining('plain'),
  ])
  expect(await find('email', 'plain@example.com')).toEqual([id])
})

test('the audit says of which kind a search was and how many it found, never what was looked for', async () => {
  await ground.database.pool.query('TRUNCATE audit')
  const number = freshNumber()
  await receive({ mobile: { code: '86', number } })
  await find('mobile', number)
  const { rows } = await ground.database.pool.query('SELECT * FROM audit')
  expect(rows).toMatchObject([
    { action: 'orders.search', subject: 'orders', outcome: 'done', after: { kind: 'mobile', matches: 1 } },
  ])
  expect(JSON.stringify(rows)).not.toContain(number)
})

test('an order that comes twice has its contacts once', async () => {
  const order = orderToPlace(freshId(), { candidate: { mobile: { code: '86', number: freshNumber() } } })
  for (const _time of [1, 2]) {
    await ground.database.transaction((sql) => receiveOrder(sql, ground.sealer, origin, order))
  }
  expect(await count(ground.database, 'order_contacts WHERE background_check_id = $1', [order.backgroundCheckId])).toBe(
    1,
  )
})

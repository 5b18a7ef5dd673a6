import { describe, expect, it } from 'vitest'
import type { Reply } from '../platform/http-peers.js'
import {
  account,
  adapterFor,
  answered,
  answering,
  CANARY,
  call,
  order,
  readAgreements,
  readChanges,
  readMany,
  startVendor,
} from './vendor-peer.js'

const stage = { id: 'st-1', name: '身份核验', time: 1767315600000 }
const full = {
  order_id: 'V-1',
  background_check_id: '7400000000000000202',
  status: 'completed',
  stages: [
    {
      ...stage,
      en_name: 'Identity verified',
      result: '通过',
      reports: [{ name: 'stage.pdf', url: 'https://files.example.com/r/1.pdf', type: 2 }],
    },
  ],
  result: {
    result: '无差异',
    time: 1767402000000,
    reports: [{ name: 'final.pdf', url: 'https://files.example.com/r/2.pdf' }],
  },
}
const pending = (id: string) => ({ order_id: id, background_check_id: `for ${id}`, status: 'pending' })

describe('every request', () => {
  it('goes below the base URL with the key', async () => {
    const { peer, vendor } = await startVendor(answering({}))
    await vendor.capabilities(call)
    expect(peer.seen[0]).toMatchObject({
      method: 'GET',
      path: '/feishu/v2/capabilities',
      headers: { authorization: 'Bearer the-key-of-the-vendor', accept: 'application/json' },
    })
  })

  it.each(['', '/', '/a', '/a/b//'])('bears a base URL that ends with %j', async (prefix) => {
    const { peer } = await startVendor(answering({}))
    await adapterFor({ baseUrl: peer.origin + prefix }).capabilities(call)
    expect(peer.seen[0]?.path).toBe(`${prefix.replace(/\/+$/, '')}/capabilities`)
  })

  it.each([
    { baseUrl: 'ftp://vendor.example' },
    { baseUrl: `https://user:${CANARY}@vendor.example` },
    { baseUrl: `https://vendor.example?key=${CANARY}` },
    { baseUrl: CANARY },
    { baseUrl: 'https://vendor.example', apiKey: `${CANARY}\n` },
    { baseUrl: 'https://vendor.example', proxy: { httpsProxy: `socks://${CANARY}` } },
  ])('needs settings that can be used, of which nothing is repeated', (settings) => {
    expect(() => adapterFor(settings)).toThrow(/^(VENDOR_BASE_URL|VENDOR_API_KEY|HTTPS_PROXY): expected (?!.*canary)/)
  })
})

describe('capabilities', () => {
  it.each([
    [200, { batch: true, changes: true, tripartite: false }, { batch: true, changes: true, tripartite: false }],
    [200, { changes: true, more: 1 }, { batch: false, changes: true, tripartite: false }],
    [404, {}, { batch: false, changes: false, tripartite: false }],
  ])('answered %i %j are %j', async (status, body, expected) => {
    const { vendor } = await startVendor(answering(body, status))
    expect(answered(await vendor.capabilities(call))).toEqual(expected)
  })
})

describe('binding an account', () => {
  it('tells all of it under its id', async () => {
    const catalog = { packages: [{ id: 'p', name: 'n' }], more: {} }
    const { peer, vendor } = await startVendor(answering({ customer_id: 'C-1', catalog }))
    expect(answered(await vendor.bindAccount(account, call))).toEqual({ customerId: 'C-1', catalog })
    const [seen] = peer.seen
    expect(seen).toMatchObject({
      method: 'POST',
      path: '/feishu/v2/accounts',
      headers: { 'idempotency-key': account.accountId, 'content-type': 'application/json; charset=utf-8' },
    })
    expect(JSON.parse(seen?.body ?? '')).toEqual({
      account_id: '7400000000000000001',
      tenant_key: 'tenant-1',
      account_name: CANARY,
      usage_list: [1, 2],
      custom_fields: { key: CANARY },
    })
  })

  it.each([
    [200, '{"customer_id":null}'],
    [202, '{"customer_id":"C-1"}'],
    [202, ''],
  ])('is not confirmed by %i %s', async (status, body) => {
    const { vendor } = await startVendor(answering(body, status))
    expect(answered(await vendor.bindAccount(account, call))).toEqual({ customerId: null })
  })

  it.each(['C\0', 'C'.repeat(257)])('takes no id that cannot be kept', async (customer_id) => {
    const { vendor } = await startVendor(answering({ customer_id }))
    const message = expect.stringMatching(/customer_id: expected an id/)
    expect(await vendor.bindAccount(account, call)).toMatchObject({ kind: 'retry', message })
  })
})

describe('placing an order', () => {
  it('tells all of it under the id of its check', async () => {
    const { peer, vendor } = await startVendor(answering({ order_id: 'V-1' }, 201))
    expect(answered(await vendor.placeOrder(order, call))).toEqual({ orderId: 'V-1' })
    const [seen] = peer.seen
    expect(seen).toMatchObject({ path: '/feishu/v2/orders', headers: { 'idempotency-key': order.backgroundCheckId } })
    expect(JSON.parse(seen?.body ?? '')).toEqual({
      background_check_id: '7400000000000000202',
      account_id: '7400000000000000001',
      tenant_key: 'tenant-1',
      package_id: 'p-1',
      additional_item_ids: ['i-1', 'i-2'],
      candidate: {
        name: CANARY,
        first_name: 'A',
        last_name: 'B',
        email: 'a@b.example',
        mobile: { code: '86', number: '1' },
      },
      contact: { name: CANARY },
      custom_fields: { key: CANARY },
      comment: CANARY,
    })
  })

  it('is refused for an id that cannot be an Idempotency-Key, without a call', async () => {
    const { peer, vendor } = await startVendor(answering({ order_id: 'V-1' }, 201))
    const answer = await vendor.placeOrder({ ...order, backgroundCheckId: `${CANARY} 核` }, call)
    expect(answer).toMatchObject({ kind: 'final', message: expect.not.stringContaining(CANARY) })
    expect(peer.seen).toEqual([])
  })
})

describe('reading an order', () => {
  it('gives all of it, and 1 as the type of a report without one', async () => {
    const { peer, vendor } = await startVendor(answering({ ...full, more: { of: 'it' } }))
    expect(answered(await vendor.getOrder('V-1', call))).toEqual({
      orderId: 'V-1',
      backgroundCheckId: '7400000000000000202',
      status: 'completed',
      stages: [
        {
          ...stage,
          enName: 'Identity verified',
          result: '通过',
          reports: [{ name: 'stage.pdf', url: 'https://files.example.com/r/1.pdf', type: 2 }],
        },
      ],
      result: {
        result: '无差异',
        time: 1767402000000,
        reports: [{ name: 'final.pdf', url: 'https://files.example.com/r/2.pdf', type: 1 }],
      },
    })
    expect(peer.seen[0]?.path).toBe('/feishu/v2/orders/V-1')
  })

  it.each([{}, { stages: null, result: null, background_check_id: null }])('needs no more than %j', async (more) => {
    const { vendor } = await startVendor(answering({ order_id: 'V-1', status: 'in_progress', ...more }))
    const expected = { orderId: 'V-1', status: 'in_progress', stages: [] }
    expect(answered(await vendor.getOrder('V-1', call))).toEqual(expected)
  })

  it('has a result only when it is completed', async () => {
    const { vendor } = await startVendor(answering({ ...full, status: 'in_progress' }))
    expect(answered(await vendor.getOrder('V-1', call))).not.toHaveProperty('result')
  })

  it('finds none', async () => {
    const { vendor } = await startVendor(answering('', 404))
    expect(answered(await vendor.getOrder('V-1', call))).toBeNull()
  })

  it.each(['a/b', 'a b?c#d', '核', 'a,b', '%2e%2e', '...'])('puts the id %s into the path', async (id) => {
    const { peer, vendor } = await startVendor(answering(pending(id)))
    expect(answered(await vendor.getOrder(id, call))?.orderId).toBe(id)
    expect(peer.seen[0]?.path).toBe(`/feishu/v2/orders/${encodeURIComponent(id)}`)
  })
})

describe('finding the order of a check', () => {
  const find = async (orders: unknown[]) => {
    const { peer, vendor } = await startVendor(answering({ orders }))
    return { peer, answer: await vendor.findOrder('for V&1', call) }
  }

  it('asks by the id of the check', async () => {
    const { peer, answer } = await find([pending('V&1')])
    expect(answered(answer)?.orderId).toBe('V&1')
    expect(peer.seen[0]?.path).toBe('/feishu/v2/orders?background_check_id=for%20V%261')
  })

  it('finds none', async () => {
    expect(answered((await find([])).answer)).toBeNull()
  })

  it('finds the same one of several, in whatever order they come, and names the others', async () => {
    const of = (id: string, status = 'pending') => ({ ...pending('V&1'), order_id: id, status })
    const several = [of('V-3'), of('V-1', 'canceled'), of('V-2'), of('V-3')]
    for (const orders of [several, several.toReversed()]) {
      expect(answered((await find(orders)).answer)).toMatchObject({ orderId: 'V-2', others: ['V-3', 'V-1'] })
    }
    expect(answered((await find([of('V-1'), of('V-1')])).answer)).not.toHaveProperty('others')
  })

  it.each([[[pending('other')]], [[pending('V&1'), pending('other')]], [[{ order_id: 'V&1', status: 'pending' }]]])(
    'does not take an order that is not of this check',
    async (orders) => {
      expect((await find(orders)).answer).toMatchObject({ kind: 'retry', ambiguous: false })
    },
  )
})

describe('reading many orders', () => {
  const known: Reply = (request, response) => {
    const { pathname, searchParams } = new URL(request.path, 'http://vendor')
    const ids = searchParams
      .get('ids')
      ?.split(',')
      .filter((id) => id !== 'gone')
    const single = decodeURIComponent(pathname.split('/').at(-1) ?? '')
    response.end(JSON.stringify(ids ? { orders: ids.map(pending) } : pending(single)))
  }
  const read = async (ids: string[], reply = known) => {
    const { peer, vendor } = await startVendor(reply)
    return { paths: () => peer.seen.map(({ path }) => path), answer: await readMany(vendor, ids) }
  }

  it('asks for all at once and leaves out those that are unknown', async () => {
    const { paths, answer } = await read(['a', 'gone', 'b&c'])
    expect(answered(answer).map(({ orderId }) => orderId)).toEqual(['a', 'b&c'])
    expect(paths()).toEqual(['/feishu/v2/orders?ids=a,gone,b%26c'])
  })

  it('asks singly for ids with commas', async () => {
    const { paths, answer } = await read(['a', 'x,y', 'b'])
    expect(
      answered(answer)
        .map(({ orderId }) => orderId)
        .sort(),
    ).toEqual(['a', 'b', 'x,y'])
    expect(paths().sort()).toEqual(['/feishu/v2/orders/x%2Cy', '/feishu/v2/orders?ids=a,b'])
  })

  it('asks for no more than 100 and for no more than a request line carries', async () => {
    const short = Array.from({ length: 201 }, (_, i) => `V-${i}`)
    const many = await read(short)
    expect(answered(many.answer)).toHaveLength(201)
    expect(many.paths()).toHaveLength(3)
    const long = Array.from({ length: 100 }, (_, i) => `${i}-${'核'.repeat(50)}`)
    const wide = await read(long)
    expect(answered(wide.answer)).toHaveLength(100)
    for (const path of wide.paths()) expect(path.length).toBeLessThan(6_100)
  })

  it('says so where there is no such list, and asks for none of them by itself', async () => {
    const { paths, answer } = await read(['a', 'b'], answering('', 404))
    expect(answer).toMatchObject({ kind: 'retry', status: 404, ambiguous: false })
    expect(paths()).toHaveLength(1)
  })

  it('asks for nothing when nothing is asked', async () => {
    const { paths, answer } = await read([])
    expect(answered(answer)).toEqual([])
    expect(paths()).toEqual([])
  })

  it('does not take an order that was not asked for', async () => {
    const { answer } = await read(['a', 'b'], answering({ orders: [pending('a'), pending(CANARY)] }))
    expect(answer).toMatchObject({ kind: 'retry', message: expect.stringContaining('orders[1].order_id: expected') })
    expect(JSON.stringify(answer)).not.toContain(CANARY)
  })
})

describe('reading changes', () => {
  const page = { orders: [pending('a')], cursor: 'c/2', has_more: true }

  it('begins with an empty cursor and goes on with the last', async () => {
    const { peer, vendor } = await startVendor(answering(page))
    expect(answered(await readChanges(vendor, null, 50))).toMatchObject({
      expired: false,
      orders: [{ orderId: 'a' }],
      cursor: 'c/2',
      hasMore: true,
    })
    await readChanges(vendor, 'c/1', 50)
    expect(peer.seen.map(({ path }) => path)).toEqual([
      '/feishu/v2/orders?changed_after=&limit=50',
      '/feishu/v2/orders?changed_after=c%2F1&limit=50',
    ])
  })

  it('takes the orders that fit, and names those that do not', async () => {
    const odd = [
      pending('a'),
      { ...pending('b'), status: CANARY },
      null,
      { ...pending('c'), order_id: '..' },
      pending('d'),
    ]
    const { vendor } = await startVendor(answering({ ...page, orders: odd }))
    const answer = answered(await readChanges(vendor, null, 50))
    expect(answer.orders.map(({ orderId }) => orderId)).toEqual(['a', 'd'])
    expect(answer.unreadable?.map(({ id }) => id)).toEqual(['b', null, null])
    expect(JSON.stringify(answer.unreadable)).not.toContain(CANARY)
  })

  it('starts over when the cursor has expired', async () => {
    const { vendor } = await startVendor(answering('', 410))
    expect(answered(await readChanges(vendor, 'c', 1))).toMatchObject({ expired: true, orders: [] })
  })

  it.each([
    ['c/2', page],
    [null, { ...page, cursor: '' }],
  ])('does not go round in circles behind %j', async (cursor, body) => {
    const { vendor } = await startVendor(answering(body))
    expect(await readChanges(vendor, cursor, 1)).toMatchObject({ kind: 'retry', ambiguous: false })
  })
})

describe('reading changed agreements', () => {
  const agreement = { id: '7400000000000000301', tenant_key: 'tk_a', state: 3, modify_time: 1767315600000 }
  const page = { agreements: [{ ...agreement, more: 1 }], cursor: 'c/2', has_more: true }

  it('begins with an empty cursor and goes on with the last', async () => {
    const { peer, vendor } = await startVendor(answering(page))
    expect(answered(await readAgreements(vendor, null))).toEqual({
      expired: false,
      agreements: [{ id: agreement.id, tenantKey: 'tk_a', state: 3, modifyTime: 1767315600000 }],
      unreadable: [],
      cursor: 'c/2',
      hasMore: true,
    })
    await readAgreements(vendor, 'c/1')
    expect(peer.seen.map(({ path }) => path)).toEqual([
      '/feishu/v2/tripartite-agreements?changed_after=',
      '/feishu/v2/tripartite-agreements?changed_after=c%2F1',
    ])
  })

  it('takes no cursor that cannot be kept', async () => {
    const { vendor } = await startVendor(answering({ ...page, cursor: 'c\0' }))
    const message = expect.stringMatching(/cursor: expected a cursor/)
    expect(await readAgreements(vendor, null)).toMatchObject({ kind: 'retry', message })
  })

  it('starts over when the cursor has expired, and does not go round in circles', async () => {
    const gone = await startVendor(answering('', 410))
    expect(answered(await readAgreements(gone.vendor, 'c'))).toMatchObject({ expired: true, agreements: [] })
    const { vendor } = await startVendor(answering(page))
    expect(await readAgreements(vendor, 'c/2')).toMatchObject({ kind: 'retry', ambiguous: false })
  })

  it('takes what fits, and names what does not by its id and path', async () => {
    const odd = [{ ...agreement, modify_time: CANARY }, agreement, CANARY, { ...agreement, id: `${CANARY}\0` }]
    const { vendor } = await startVendor(answering({ ...page, agreements: odd }))
    const answer = answered(await readAgreements(vendor, null))
    expect(answer.agreements.map(({ id, state }) => [id, state])).toEqual([
      [agreement.id, 3],
      [`${CANARY}\0`, 3],
    ])
    expect(answer.unreadable).toEqual([
      { id: agreement.id, complaint: 'modify_time: expected number, got string' },
      { id: null, complaint: 'the entry: expected object, got string' },
    ])
    expect(JSON.stringify(answer.unreadable)).not.toContain(CANARY)
  })
})

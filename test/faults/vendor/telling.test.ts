import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { VendorStage } from '../../../src/sandbox/index.js'
import { customApp, eventually, startWorld, type World } from '../../story/world.js'

let world: World

beforeAll(async () => {
  world = await startWorld({ vendor: { capabilities: { batch: true, changes: false } } })
})
afterAll(() => world.stop())

/** A check of its own, and the vendor's number of it. */
async function ordered() {
  const { feishu, vendor } = world
  const customer = { appId: customApp.appId, tenantKey: 'tk_custom' }
  const { accountId } = feishu.createAccount(customer)
  const { backgroundCheckId: id } = feishu.createOrder({ ...customer, accountId })
  await eventually(async () => (await shown(id))['state']).toBe('ordered')
  return { id, number: vendor.order(id).orderId }
}

async function shown(id: string): Promise<Record<string, unknown>> {
  return (await world.api('GET', `/v1/orders/${id}`)).body
}

async function kindsOf(id: string): Promise<string[]> {
  return ((await shown(id))['timeline'] as Array<{ kind: string }>).map(({ kind }) => kind)
}

const absent = Symbol('absent')
const at = 1_767_315_600_000
const stage = (id: string, time: unknown = at, more: Record<string, unknown> = {}) =>
  ({ id, name: `stage ${id}`, ...(time !== absent && { time }), ...more }) as VendorStage
const result = (text = '无差异', time: unknown = at + 1_000_000) => ({
  result: text,
  time: time as number,
  reports: [],
})

/** What the vendor says from now on; anything goes. */
function say(id: string, words: { status?: string; stages?: unknown[]; result?: unknown }): void {
  world.vendor.setOrder(id, words as Parameters<World['vendor']['setOrder']>[1])
}

const stagesOf = (id: string) => world.feishu.order(id).stages.map(({ stageId }) => stageId)
const timesOf = (id: string) => world.feishu.order(id).stages.map(({ time }) => time)

/** The vendor behaves from now on: the check comes to its end, and what Feishu got was in order. */
async function ends(id: string, stages: readonly string[], text = '无差异'): Promise<void> {
  await eventually(() => world.feishu.order(id).status).toMatch(/completed|in_approval/)
  if (world.feishu.order(id).status === 'in_approval') world.feishu.approve(id)
  expect(stagesOf(id)).toEqual(stages)
  expect(world.feishu.order(id).result?.result).toBe(text)
  await eventually(async () => (await shown(id))['state']).toBe('completed')
  expect(world.feishu.checkPromises()).toEqual([])
  expect(world.vendor.orderCount(id)).toBe(1)
}

describe('times of stages that', () => {
  const day = 86_400_000
  const odd: Array<[string, () => unknown[], (times: number[]) => void]> = [
    ['go backwards', () => [at, at - 5000, at - 9000], (times) => expect(times).toEqual([at, at + 1, at + 2])],
    ['are all the same', () => [at, at, at], (times) => expect(times).toEqual([at, at + 1, at + 2])],
    ['lie in 1970', () => [0, 1, 2], seen],
    ['are negative', () => [-1, -2, -3], seen],
    ['lie in 2100', () => [4_102_444_800_000, 4_102_444_800_001, 4_102_444_800_002], seen],
    ['are seconds', () => [1_767_315_600, 1_767_315_601, 1_767_315_602], seen],
    ['are nanoseconds', () => [at * 1000, at * 1000 + 1, at * 1000 + 2], seen],
    ['lie a little ahead', () => [Date.now() + day / 2, at, at], (times) => expect(times[1]).toBe((times[0] ?? 0) + 1)],
  ]
  function seen(times: number[]): void {
    for (const time of times) expect(Math.abs(time - Date.now())).toBeLessThan(600_000)
  }

  it.each(odd)('%s reach Feishu in order and rising', async (_name, times, check) => {
    const { id } = await ordered()
    say(id, { status: 'completed', stages: times().map((time, index) => stage(`s-${index}`, time)), result: result() })
    await ends(id, ['s-0', 's-1', 's-2'])
    const sent = timesOf(id)
    expect(sent).toEqual([...new Set(sent)].sort((a, b) => a - b))
    check(sent)
  })

  it.each([
    ['are fractions', at + 0.5],
    ['are texts', String(at)],
    ['are absent', absent],
    ['are null', null],
    ['are dates', '2026-01-02T03:04:05Z'],
    ['are beyond all whole numbers', 1e300],
  ])('%s make the order unreadable, flagged until they are mended', async (_name, time) => {
    const { id } = await ordered()
    say(id, { status: 'in_progress', stages: [stage('s-0', time)] })
    await eventually(async () => (await shown(id))['attention']).toEqual(['poll_refused'])
    expect(stagesOf(id)).toEqual([])
    say(id, { status: 'completed', stages: [stage('s-0')], result: result() })
    await world.api('POST', `/v1/orders/${id}/poll`)
    await ends(id, ['s-0'])
    await eventually(async () => (await shown(id))['attention']).toEqual([])
  })
})

describe('stages that', () => {
  const said = async (id: string, stages: unknown[], sent: string[]) => {
    say(id, { status: 'in_progress', stages })
    await eventually(() => stagesOf(id)).toEqual(sent)
  }
  const complete = (id: string, stages: unknown[]) => say(id, { status: 'completed', stages, result: result() })

  it('vanish after they were sent stay sent, and come back without a second call', async () => {
    const { id } = await ordered()
    await said(id, [stage('a'), stage('b')], ['a', 'b'])
    await said(id, [], ['a', 'b'])
    await said(id, [stage('b'), stage('a'), stage('c')], ['a', 'b', 'c'])
    complete(id, [stage('a'), stage('b'), stage('c')])
    await ends(id, ['a', 'b', 'c'])
  })

  it('are put in another order and get one more in front go out as they came', async () => {
    const { id } = await ordered()
    await said(id, [stage('a'), stage('b')], ['a', 'b'])
    await said(id, [stage('new'), stage('b'), stage('a')], ['a', 'b', 'new'])
    complete(id, [stage('new'), stage('b'), stage('a')])
    await ends(id, ['a', 'b', 'new'])
  })

  it('change after they were sent are flagged and not sent again', async () => {
    const { id } = await ordered()
    await said(id, [stage('a')], ['a'])
    say(id, { status: 'in_progress', stages: [stage('a', at, { name: 'another name' })] })
    await eventually(async () => (await shown(id))['attention']).toEqual(['changed_after_sent'])
    complete(id, [stage('a', at, { name: 'another name' })])
    await ends(id, ['a'])
  })

  it('share an id are one', async () => {
    const { id } = await ordered()
    complete(id, [stage('a'), stage('a', at + 1, { name: 'second' }), stage('b')])
    await ends(id, ['a', 'b'])
    expect(await kindsOf(id)).toContain('stage_repeated')
  })

  it('are thousands leave the first five hundred, and a person is told', async () => {
    const { id } = await ordered()
    say(id, {
      status: 'in_progress',
      stages: Array.from({ length: 3000 }, (_, index) => stage(`s-${index}`, at + index)),
    })
    await eventually(async () => (await shown(id))['attention']).toEqual(['too_many_stages'])
    const waiting = async () => (await shown(id))['deliveries'] as unknown[]
    expect(await waiting()).toHaveLength(500)
    await world.api('POST', `/v1/orders/${id}/cancel`, {})
  })
})

describe('a status that goes back', () => {
  it('from completed, after Feishu has the result, changes nothing', async () => {
    const { id } = await ordered()
    say(id, { status: 'completed', stages: [stage('a')], result: result() })
    await ends(id, ['a'])
    say(id, { status: 'in_progress', stages: [stage('a'), stage('b')] })
    await world.api('POST', `/v1/orders/${id}/poll`)
    say(id, { status: 'canceled', stages: [] })
    await world.api('POST', `/v1/orders/${id}/poll`)
    await ends(id, ['a'])
  })

  it('from completed, before anything was sent, withdraws the result until it comes again', async () => {
    const { id } = await ordered()
    world.feishu.addFault({
      match: { api: 'update_progress', backgroundCheckId: id },
      action: { kind: 'rate_limited' },
      times: 3,
    })
    say(id, { status: 'completed', stages: [stage('a')], result: result('too early') })
    await eventually(() => kindsOf(id)).toContain('result_seen')
    say(id, { status: 'in_progress', stages: [stage('a')] })
    await eventually(() => kindsOf(id)).toContain('result_withdrawn')
    say(id, { status: 'completed', stages: [stage('a')], result: result('in time') })
    await ends(id, ['a'], 'in time')
  })

  it('from canceled, after Feishu has the cancel, changes nothing', async () => {
    const { id } = await ordered()
    say(id, { status: 'canceled', stages: [stage('a')] })
    await eventually(() => world.feishu.order(id).status).toBe('terminated')
    say(id, { status: 'completed', stages: [stage('a')], result: result() })
    await world.api('POST', `/v1/orders/${id}/poll`)
    expect(stagesOf(id)).toEqual(['a', 'terminated'])
    expect(world.feishu.checkPromises()).toEqual([])
  })

  it('leaves a result that changed after it was sent as it was', async () => {
    const { id } = await ordered()
    say(id, { status: 'completed', stages: [], result: result('first') })
    await eventually(() => world.feishu.order(id).result?.result).toBe('first')
    say(id, { status: 'completed', stages: [], result: result('second') })
    await world.api('POST', `/v1/orders/${id}/poll`)
    await ends(id, [], 'first')
  })

  it('completed without a result is unreadable until there is one', async () => {
    const { id } = await ordered()
    say(id, { status: 'completed', stages: [stage('a')], result: undefined })
    await eventually(async () => (await shown(id))['attention']).toEqual(['poll_refused'])
    say(id, { status: 'completed', stages: [stage('a')], result: result() })
    await world.api('POST', `/v1/orders/${id}/poll`)
    await ends(id, ['a'])
  })
})

describe('an order that the vendor', () => {
  const answering = (number: string, httpStatus: number, times: number | 'always') => ({
    match: { operation: 'orders.get', orderId: number },
    action: { kind: 'answer', httpStatus } as const,
    times,
  })

  it('does not know for a while is flagged, and goes on when it is known again', async () => {
    const { id, number } = await ordered()
    world.vendor.setCapabilities({ batch: false, changes: false })
    world.vendor.addFault(answering(number, 404, 3))
    world.vendor.addFault({
      match: { operation: 'orders.batch' },
      action: { kind: 'answer', httpStatus: 404 },
      times: 'always',
    })
    await eventually(async () => (await shown(id))['attention']).toEqual(['unknown_to_vendor'])
    expect(await kindsOf(id)).toContain('unknown_to_vendor')
    say(id, { status: 'completed', stages: [stage('a')], result: result() })
    await world.api('POST', `/v1/orders/${id}/poll`)
    await ends(id, ['a'])
    world.vendor.clearFaults()
  })

  it('describes as that of another check is not believed: nothing of it reaches Feishu', async () => {
    const one = await ordered()
    const other = await ordered()
    world.vendor.setOrder(one.number, { backgroundCheckId: other.id } as object)
    say(one.number, { status: 'completed', stages: [stage('a')], result: result('of somebody else') })
    await world.api('POST', `/v1/orders/${one.id}/poll`)
    await eventually(async () => (await shown(one.id))['attention']).toEqual(['foreign_order'])
    expect(stagesOf(one.id)).toEqual([])
    expect(world.feishu.order(one.id).result).toBeUndefined()
    world.vendor.setOrder(one.number, { backgroundCheckId: one.id } as object)
    say(one.number, { result: result() })
    await world.api('POST', `/v1/orders/${one.id}/poll`)
    await ends(one.id, ['a'])
  })

  it('tells unreadably harms no neighbour of its batch', async () => {
    const [broken, neighbour] = [await ordered(), await ordered()]
    say(broken.id, { status: 'in_progress', stages: [{ id: 7 }] })
    say(neighbour.id, { status: 'completed', stages: [stage('a')], result: result() })
    await ends(neighbour.id, ['a'])
    await eventually(async () => (await shown(broken.id))['attention']).toEqual(['poll_refused'])
    say(broken.id, { status: 'completed', stages: [], result: result() })
    await world.api('POST', `/v1/orders/${broken.id}/poll`)
    await ends(broken.id, [])
  })
})

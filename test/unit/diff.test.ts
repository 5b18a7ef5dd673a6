import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { diffOrder } from '../../src/flow/orders/diff.js'
import type { Difference } from '../../src/flow/orders/difference.js'
import type { KnownDelivery } from '../../src/flow/orders/known-delivery.js'
import { contentOf } from '../../src/flow/orders/stages.js'
import type { VendorOrder, VendorStage } from '../../src/flow/vendor/adapter.js'
import { at, report, saying, stage } from '../support/vendor-words.js'

const id = '7400000000000000202'
const now = at(200)
const day = 86_400_000

/** The lane as the database keeps it: differences are applied, the head can be tried and settled. */
class Lane {
  rows: KnownDelivery[] = []
  /** Contents as they were at their first attempt. */
  readonly tried = new Map<string, string>()
  readonly sent: KnownDelivery['content'][] = []
  #lastId = 0

  apply(difference: Difference, seenAt: number): void {
    const byId = new Map(this.rows.map((row) => [row.id, row]))
    for (const gone of difference.withdrawn) {
      const row = byId.get(gone)
      if (row) Object.assign(row, { state: 'superseded' })
    }
    for (const gone of difference.dropped) Object.assign(byId.get(gone) ?? {}, { state: 'superseded' })
    for (const { id: which, content } of difference.relinked) Object.assign(byId.get(which) ?? {}, { content })
    const waiting = difference.waiting.map(({ id: which, content }): KnownDelivery => {
      const known = which === undefined ? undefined : byId.get(which)
      if (known) return Object.assign(known, { content })
      this.#lastId += 1
      return { id: String(this.#lastId), content, state: 'pending', attempted: false, seenAt }
    })
    this.rows = [...this.rows.filter((row) => !waiting.includes(row)), ...waiting]
  }

  see(vendor: VendorOrder, seenAt = now): Difference {
    const difference = diffOrder(id, this.rows, vendor, seenAt)
    this.apply(difference, seenAt)
    return difference
  }

  head(): KnownDelivery | undefined {
    return this.rows.find((row) => row.state === 'pending' || row.state === 'sending')
  }

  attempt(outcome: 'delivered' | 'pending' | 'dead' | 'sending'): void {
    const head = this.head()
    if (head === undefined) return
    if (!this.tried.has(head.id)) this.tried.set(head.id, JSON.stringify(head.content))
    Object.assign(head, { attempted: true, state: outcome })
    if (outcome === 'delivered') this.sent.push(head.content)
  }

  bodies() {
    return this.rows.filter((row) => row.state === 'pending').map((row) => row.content.body)
  }

  waits(): string[] {
    return this.rows.filter((row) => row.state === 'pending').map((row) => nameOf(row))
  }
}

const nameOf = ({ content }: Pick<KnownDelivery, 'content'>) =>
  content.api === 'update_progress' ? content.body.stage_id : content.api

const notesOf = (difference: Difference) => difference.notes.map((note) => note.kind)

describe('what waits', () => {
  test('is each stage once, in the vendor’s order, and the result last', () => {
    const lane = new Lane()
    const first = lane.see(saying('completed', [stage('b'), stage('a'), stage('c')]))
    expect(lane.waits()).toEqual(['b', 'a', 'c', 'update_result'])
    expect(first.state).toBe('reported')
    const again = lane.see(saying('completed', [stage('b'), stage('a'), stage('c')]))
    expect(lane.waits()).toEqual(['b', 'a', 'c', 'update_result'])
    expect(again).toMatchObject({ notes: [], withdrawn: [], relinked: [], attention: [] })
  })

  test('is nothing for an order without stages', () => {
    expect(new Lane().see(saying('pending', []))).toMatchObject({ waiting: [], state: null })
  })

  test('follows the vendor’s order when a stage comes in between', () => {
    const lane = new Lane()
    lane.see(saying('in_progress', [stage('a'), stage('c')]))
    lane.attempt('delivered')
    lane.see(saying('in_progress', [stage('a'), stage('b'), stage('c')]))
    expect(lane.waits()).toEqual(['b', 'c'])
  })

  test('keeps a stage that the vendor names no longer, first', () => {
    const lane = new Lane()
    lane.see(saying('in_progress', [stage('a'), stage('b')]))
    lane.see(saying('in_progress', [stage('b')]))
    expect(lane.waits()).toEqual(['a', 'b'])
  })

  test('goes behind what was tried, even when the vendor puts it before', () => {
    const lane = new Lane()
    lane.see(saying('in_progress', [stage('a')]))
    lane.attempt('pending')
    lane.see(saying('in_progress', [stage('b'), stage('a')]))
    expect(lane.waits()).toEqual(['a', 'b'])
    const [a, b] = lane.bodies() as Array<{ stage_time: string }>
    expect(Number(b?.stage_time)).toBeGreaterThan(Number(a?.stage_time))
  })

  test('has no result any more when the vendor takes it back, and the order is open again', () => {
    const lane = new Lane()
    lane.see(saying('completed', [stage('a')]))
    const back = lane.see(saying('in_progress', [stage('a')]))
    expect(lane.waits()).toEqual(['a'])
    expect(notesOf(back)).toContain('result_withdrawn')
    expect(back.state).toBe('in_progress')
    lane.see(saying('completed', [stage('a')]))
    expect(lane.waits()).toEqual(['a', 'update_result'])
  })

  test('leaves the state that says “reported” when a result without stages is taken back', () => {
    const lane = new Lane()
    expect(lane.see(saying('completed', [])).state).toBe('reported')
    expect(lane.see(saying('in_progress', [])).state).toBe('ordered')
  })

  test('is replaced by what the vendor says now, with its old place and id', () => {
    const lane = new Lane()
    lane.see(saying('in_progress', [stage('a')]))
    const replaced = lane.see(saying('in_progress', [stage('a', { name: 'better' })]))
    expect(lane.rows).toHaveLength(1)
    expect(lane.bodies()).toMatchObject([{ stage_name: 'better' }])
    expect(notesOf(replaced)).toEqual(['stage_replaced'])
  })

  test('takes newer links without a word', () => {
    const lane = new Lane()
    lane.see(saying('in_progress', [stage('a', { reports: [report('x', 'https://old.example')] })]))
    const linked = lane.see(saying('in_progress', [stage('a', { reports: [report('x', 'https://new.example')] })]))
    expect(linked.notes).toEqual([])
    expect(JSON.stringify(lane.bodies())).toContain('new.example')
  })

  test('names a stage id that the vendor repeats once', () => {
    const lane = new Lane()
    expect(notesOf(lane.see(saying('in_progress', [stage('a'), stage('a', { name: 'other' })])))).toContain(
      'stage_repeated',
    )
    expect(lane.waits()).toEqual(['a'])
  })
})

describe('what was tried', () => {
  test('keeps its content: a change is flagged and not sent', () => {
    const lane = new Lane()
    lane.see(saying('in_progress', [stage('a')]))
    lane.attempt('pending')
    const before = lane.bodies()
    const changed = lane.see(saying('in_progress', [stage('a', { name: 'other' })]))
    expect(lane.bodies()).toEqual(before)
    expect(changed.attention).toEqual(['changed_after_sent'])
    expect(notesOf(changed)).toEqual(['stage_changed_after_sent'])
  })

  test('takes newer links while it waits for another attempt, and none once it is settled', () => {
    const links = (url: string) => saying('in_progress', [stage('a', { reports: [report('x', url)] })])
    const lane = new Lane()
    lane.see(links('https://one.example'))
    lane.attempt('pending')
    expect(lane.see(links('https://two.example')).relinked).toHaveLength(1)
    lane.attempt('delivered')
    expect(lane.see(links('https://three.example'))).toMatchObject({ relinked: [], attention: [] })
  })

  test('takes newer links while it is dead, since an operator may send it again', () => {
    const links = (url: string) => saying('in_progress', [stage('a', { reports: [report('x', url)] })])
    const lane = new Lane()
    lane.see(links('https://one.example'))
    lane.attempt('dead')
    expect(lane.see(links('https://two.example')).relinked).toHaveLength(1)
    expect(JSON.stringify(lane.rows)).toContain('two.example')
  })

  test.each([
    ['links', saying('in_progress', [stage('a', { reports: [report('x', 'https://new.example')] })])],
    ['words', saying('in_progress', [stage('a', { name: 'other', reports: [report('x', 'https://old.example')] })])],
  ])('is left alone while it is under way, and has the answer with newer %s read again', (_what, newer) => {
    const old = saying('in_progress', [stage('a', { reports: [report('x', 'https://old.example')] })])
    const lane = new Lane()
    lane.see(old)
    lane.attempt('sending')
    expect(lane.see(old)).toMatchObject({ relinked: [], readAgain: false })
    const before = JSON.stringify(lane.rows)
    expect(lane.see(newer).readAgain).toBe(true)
    expect(JSON.stringify(lane.rows)).toBe(before)
    lane.attempt('delivered')
    expect(lane.see(newer).readAgain).toBe(false)
  })

  test('takes newer links when the claim that it was sent under is over: its next attempt has them', () => {
    const links = (url: string) => saying('in_progress', [stage('a', { reports: [report('x', url)] })])
    const lane = new Lane()
    lane.see(links('https://one.example'))
    lane.attempt('sending')
    Object.assign(lane.rows[0] ?? {}, { abandoned: true })
    expect(lane.see(links('https://two.example'))).toMatchObject({ relinked: [{ id: '1' }], readAgain: false })
  })

  test.each(['pending', 'sending', 'delivered'] as const)(
    'a result that is %s and that the vendor takes back stays, and is flagged',
    (state) => {
      for (const status of ['in_progress', 'pending', 'canceled'] as const) {
        const lane = new Lane()
        lane.see(saying('completed', []))
        lane.attempt(state)
        const before = JSON.stringify(lane.rows)
        const back = lane.see(saying(status, []))
        expect(back.attention).toEqual(['changed_after_sent'])
        expect(back.notes).toContainEqual({ kind: 'result_withdrawn_after_sent', detail: { delivery_id: '1' } })
        expect(back).toMatchObject({ waiting: [], withdrawn: [], dropped: [], state: null })
        expect(back.readAgain).toBe(state === 'sending')
        expect(JSON.stringify(lane.rows)).toBe(before)
      }
    },
  )

  test('a cancel that was tried and that the vendor takes back stays, and is flagged', () => {
    const lane = new Lane()
    lane.see(saying('canceled', []))
    lane.attempt('delivered')
    lane.attempt('pending')
    const back = lane.see(saying('completed', []))
    expect(back.attention).toEqual(['changed_after_sent'])
    expect(notesOf(back)).toEqual(['cancel_withdrawn_after_sent'])
    expect(lane.waits()).toEqual(['cancel'])
  })

  test('keeps its time when the vendor’s time changes', () => {
    const lane = new Lane()
    lane.see(saying('in_progress', [stage('a')]))
    lane.attempt('pending')
    lane.see(saying('in_progress', [stage('a', { time: at(50) })]))
    expect(lane.bodies()).toMatchObject([{ stage_time: String(at(1)) }])
  })

  test('a result that was tried closes the order: later stages are flagged, a changed result too', () => {
    const lane = new Lane()
    lane.see(saying('completed', []))
    lane.attempt('pending')
    const late = lane.see(saying('completed', [stage('late')], 'other'))
    expect(lane.waits()).toEqual(['update_result'])
    expect(notesOf(late)).toEqual(['stage_after_end', 'result_changed_after_sent'])
    expect(late.attention).toEqual(['changed_after_sent'])
    expect(late.state).toBeNull()
  })

  test('a cancel that was tried closes the order', () => {
    const lane = new Lane()
    lane.see(saying('canceled', []))
    while (lane.head() !== undefined && nameOf(lane.head() as KnownDelivery) !== 'cancel') lane.attempt('delivered')
    lane.attempt('pending')
    lane.see(saying('completed', [stage('late')]))
    expect(lane.waits()).toEqual(['cancel'])
  })
})

describe('an end that is dead', () => {
  test('and surely was not taken gives way to the other end', () => {
    const lane = new Lane()
    lane.see(saying('canceled', []))
    lane.attempt('delivered')
    lane.attempt('dead')
    const done = lane.see(saying('completed', [stage('late')]))
    expect(done).toMatchObject({ dropped: ['2'], attention: [], state: 'reported' })
    expect(lane.waits()).toEqual(['late', 'update_result'])
    lane.attempt('delivered')
    lane.attempt('dead')
    const stopped = lane.see(saying('canceled', [stage('late')]))
    expect(stopped).toMatchObject({ dropped: ['4'], attention: [] })
    expect(notesOf(stopped)).toContain('result_withdrawn')
    expect(lane.waits()).toEqual(['cancel'])
  })

  test('and surely was not taken is not needed when the vendor goes on', () => {
    const lane = new Lane()
    lane.see(saying('canceled', []))
    lane.attempt('delivered')
    lane.attempt('dead')
    const onward = lane.see(saying('in_progress', [stage('a')]))
    expect(onward).toMatchObject({ dropped: ['2'], attention: [], state: 'in_progress' })
    expect(lane.waits()).toEqual(['a'])
  })

  test('and that the vendor still names stays dead, and its order closed', () => {
    const lane = new Lane()
    lane.see(saying('completed', []))
    lane.attempt('dead')
    const late = lane.see(saying('completed', [stage('late')], 'other'))
    expect(late).toMatchObject({ dropped: [], waiting: [] })
    expect(notesOf(late)).toEqual(['stage_after_end', 'result_changed_after_sent'])
  })

  test('and that Feishu may have taken stays and is flagged: nothing may follow it', () => {
    const lane = new Lane()
    lane.see(saying('canceled', []))
    lane.attempt('delivered')
    lane.attempt('dead')
    Object.assign(lane.rows[1] ?? {}, { unclear: true })
    const done = lane.see(saying('completed', [stage('late')]))
    expect(done).toMatchObject({ dropped: [], waiting: [], attention: ['changed_after_sent'] })
    expect(notesOf(done)).toEqual(['stage_after_end', 'cancel_withdrawn_after_sent'])
  })

  test('stays while another end is on its way, which a person has to see', () => {
    const lane = new Lane()
    lane.see(saying('completed', []))
    lane.attempt('dead')
    lane.see(saying('canceled', []))
    lane.attempt('delivered')
    lane.attempt('pending')
    const back = lane.see(saying('completed', []))
    expect(back).toMatchObject({ dropped: [], waiting: [], attention: ['changed_after_sent'] })
  })
})

describe('an order that the vendor stopped', () => {
  test('says so in a last stage, then cancels', () => {
    const lane = new Lane()
    const stopped = lane.see(saying('canceled', [stage('a')]))
    expect(lane.waits()).toEqual(['a', 'terminated', 'cancel'])
    expect(notesOf(stopped)).toContain('vendor_stopped')
    const before = lane.bodies()
    expect(before[1]).toMatchObject({ stage_time: String(now) })
    expect(lane.see(saying('canceled', [stage('a')]), now + 1000).notes).toEqual([])
    // The times, too: Feishu may have refused a call for its limit, and one stage has one time in all its calls.
    expect(lane.bodies()).toEqual(before)
  })

  test.each([{ name: ' 已终止 ' }, { name: 'x', enName: 'TERMINATED' }])('has no second such stage (%j)', (last) => {
    const lane = new Lane()
    lane.see(saying('canceled', [stage('a', last)]))
    expect(lane.waits()).toEqual(['a', 'cancel'])
  })

  test('gets a last stage of its own where the vendor uses that id for something else', () => {
    const lane = new Lane()
    lane.see(saying('canceled', [stage('terminated', { name: 'contract ended' }), stage('b')]))
    expect(new Set(lane.waits()).size).toBe(4)
    expect(lane.waits().at(-1)).toBe('cancel')
    const before = lane.waits()
    lane.see(saying('canceled', [stage('terminated', { name: 'contract ended' }), stage('b')]), now + 1000)
    expect(lane.waits()).toEqual(before)
  })

  test('and goes on after all takes both back while nothing was tried', () => {
    const lane = new Lane()
    lane.see(saying('canceled', [stage('a')]))
    lane.see(saying('in_progress', [stage('a')]))
    expect(lane.waits()).toEqual(['a'])
  })

  test('does not follow a result that was tried', () => {
    const lane = new Lane()
    lane.see(saying('completed', []))
    lane.attempt('delivered')
    lane.see(saying('canceled', []))
    expect(lane.waits()).toEqual([])
  })
})

describe('times', () => {
  test('are the vendor’s, raised to one more than the last where they would not increase', () => {
    const lane = new Lane()
    lane.see(
      saying('in_progress', [stage('a', { time: at(5) }), stage('b', { time: at(3) }), stage('c', { time: at(5) })]),
    )
    expect(lane.bodies()).toMatchObject([at(5), at(5) + 1, at(5) + 2].map((time) => ({ stage_time: String(time) })))
  })

  test.each([0, -1, 978_307_199_999, now + day + 1, Number.NaN, Number.POSITIVE_INFINITY])(
    '%d is the vendor’s error: the time it was seen is used, once and for all, and the order flagged',
    (time) => {
      const lane = new Lane()
      const seen = lane.see(saying('in_progress', [stage('a', { time })]))
      expect(lane.bodies()).toMatchObject([{ stage_time: String(now) }])
      expect(seen.attention).toContain('vendor_time')
      expect(notesOf(seen)).toContain('time_corrected')
      const again = lane.see(saying('in_progress', [stage('a', { time })]), now + 5000)
      expect(lane.bodies()).toMatchObject([{ stage_time: String(now) }])
      expect(notesOf(again)).toEqual([])
    },
  )

  test.each([978_307_200_000, now + day])('%d is believed', (time) => {
    const lane = new Lane()
    expect(lane.see(saying('in_progress', [stage('a', { time })])).attention).toEqual([])
    expect(lane.bodies()).toMatchObject([{ stage_time: String(time) }])
  })

  test('are whole milliseconds', () => {
    const lane = new Lane()
    lane.see(saying('in_progress', [stage('a', { time: at(1) + 0.7 })]))
    expect(lane.bodies()).toMatchObject([{ stage_time: String(at(1)) }])
  })
})

describe('whatever the vendor says and whatever is tried in between', () => {
  const anyStage: fc.Arbitrary<VendorStage> = fc.record({
    id: fc.constantFrom('a', 'b', 'c', 'd', 'terminated', 'an id with blanks', '核验'),
    name: fc.constantFrom('one', 'two', '已终止'),
    time: fc.oneof(fc.integer({ min: at(-10), max: at(10) }), fc.constantFrom(0, now + 2 * day)),
    reports: fc.array(fc.constantFrom(report('x'), report('x', 'https://other.example')), { maxLength: 1 }),
  })
  const anyOrder = fc
    .record({
      status: fc.constantFrom('in_progress', 'in_progress', 'completed', 'canceled'),
      stages: fc.array(anyStage, { maxLength: 5 }),
      result: fc.constantFrom('clear', 'differs'),
    })
    .map(({ status, stages, result }) => saying(status as VendorOrder['status'], stages, result))
  const step = fc.oneof(
    { weight: 2, arbitrary: anyOrder.map((vendor) => ({ kind: 'see' as const, vendor })) },
    {
      weight: 3,
      arbitrary: fc
        .constantFrom('delivered', 'delivered', 'pending', 'dead', 'sending')
        .map((outcome) => ({ kind: 'attempt' as const, outcome: outcome as 'delivered' })),
    },
  )

  test('stages go once each, with increasing times, in order, and nothing follows a result or a cancel', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 25 }), (steps) => {
        const lane = new Lane()
        let clock = now
        for (const each of steps) {
          clock += 1000
          if (each.kind === 'attempt') lane.attempt(each.outcome)
          else checkWaiting(lane, each.vendor, clock)
          checkLane(lane)
        }
        while (lane.head() !== undefined) lane.attempt('delivered')
        checkLane(lane)
      }),
      { numRuns: 2000 },
    )
  })

  function checkWaiting(lane: Lane, vendor: VendorOrder, clock: number): void {
    const first = lane.see(vendor, clock)
    const named = vendor.stages.map((each) => each.id)
    const order = first.waiting.map((each) => nameOf(each)).filter((name) => named.includes(name))
    expect(order).toEqual([...new Set(named)].filter((name) => order.includes(name)))
    const before = JSON.stringify(lane.rows)
    const again = lane.see(vendor, clock + 500)
    expect(JSON.stringify(lane.rows)).toBe(before)
    expect(again.withdrawn).toEqual([])
  }

  function checkLane(lane: Lane): void {
    const live = lane.rows.filter((row) => row.state !== 'superseded')
    const names = live.filter((row) => row.content.api === 'update_progress').map((row) => nameOf(row))
    expect(new Set(names).size).toBe(names.length)
    const times = live.flatMap(({ content }) =>
      content.api === 'update_progress' ? Number(content.body.stage_time) : [],
    )
    for (const [index, time] of times.entries()) expect(time).toBeGreaterThan(times[index - 1] ?? 0)
    const ends = live.filter((row) => row.content.api !== 'update_progress')
    expect(ends.length).toBeLessThanOrEqual(1)
    if (ends.length === 1) expect(live.at(-1)).toBe(ends[0])
    for (const row of lane.rows) {
      const tried = lane.tried.get(row.id)
      if (tried === undefined) continue
      const { body } = JSON.parse(tried) as KnownDelivery['content']
      expect(contentOf(row.content.body)).toBe(contentOf(body))
      expect(timeOf(row.content.body)).toBe(timeOf(body))
    }
  }

  const timeOf = (body: object) =>
    'stage_time' in body ? body.stage_time : 'result_time' in body ? body.result_time : undefined
})

describe('what an older system sent', () => {
  const sent = (content: KnownDelivery['content']): KnownDelivery => ({
    id: content.api,
    content,
    state: 'delivered',
    attempted: true,
    imported: true,
    seenAt: now,
  })
  const progress = sent({
    api: 'update_progress',
    body: { background_check_id: id, stage_id: 'a', stage_name: 'in other words', stage_time: String(at(50)) },
  })
  const result = sent({
    api: 'update_result',
    body: { background_check_id: id, result: 'in other words', result_time: String(at(60)) },
  })

  test('is not sent again, and nobody can say that it changed', () => {
    const lane = new Lane()
    lane.rows = [progress]
    const first = lane.see(saying('in_progress', [stage('a', { result: 'x', reports: [report()] }), stage('b')]))
    expect(lane.waits()).toEqual(['b'])
    expect(lane.bodies()).toMatchObject([{ stage_time: String(at(50) + 1) }])
    expect(first).toMatchObject({ attention: [], relinked: [], withdrawn: [] })
    expect(notesOf(first)).toEqual(['stage_seen'])
  })

  test('closes the order where it was a result, and what was left out before it is nobody’s to judge', () => {
    const lane = new Lane()
    lane.rows = [progress, result]
    const said = lane.see(saying('completed', [stage('a'), stage('b')], 'another'))
    expect(lane.waits()).toEqual([])
    expect(said).toMatchObject({ notes: [], attention: [], state: null })
  })
})

test('sends no more than 500 stages of one check, and says how many are left out', () => {
  const many = Array.from({ length: 600 }, (_, index) => stage(`s-${index}`))
  const difference = diffOrder(id, [], saying('in_progress', many), now)
  expect(difference.waiting).toHaveLength(500)
  expect(difference.attention).toContain('too_many_stages')
  expect(difference.notes).toContainEqual({ kind: 'stages_left_out', detail: { stages: 100 } })
})

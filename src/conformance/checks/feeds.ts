import type { VendorAgreement } from '../../flow/vendor/adapter.js'
import { type Check, having, ifOffered } from '../check.js'
import { judgeCursors, judgeFirst, judgeUnknownCursor, type ReadFeed, walk } from '../feed.js'
import type { Ground } from '../ground.js'
import { refused, said } from '../ground.js'
import { type CheckOutcome, failed, ok, skipped, warning } from '../result.js'

const limit = 100
const changesAt = 'get-orderschanged_after'
const agreementsAt = 'get-tripartite-agreementschanged_after'

const two = (ground: Ground) => ground.other()

export const changesChecks: readonly Check[] = [
  {
    name: 'changes',
    about:
      'GET /orders?changed_after= with an empty cursor begins at the beginning, with orders in their documented form.',
    see: changesAt,
    run: ifOffered(
      'changes',
      having(two, (_, ground) => judgeFirst(orderFeed(ground))),
    ),
  },
  {
    name: 'changes-limit',
    about: 'GET /orders?changed_after=…&limit=n answers up to n orders, and says when there are more.',
    see: changesAt,
    run: ifOffered(
      'changes',
      having(two, async (_, { vendor }) => {
        const answer = await vendor.changes(null, 1)
        if (answer.kind !== 'ok') return refused('a page of one order', answer)
        const { orders, hasMore } = answer.value
        if (orders.length > 1) return failed('one order for limit=1', `${orders.length} orders`)
        return hasMore ? ok() : failed('has_more true: there are two orders at least', 'false')
      }),
    ),
  },
  {
    name: 'changes-cursor',
    about: 'The feed of changes goes on behind each cursor, and comes to an end.',
    see: changesAt,
    run: ifOffered(
      'changes',
      having(two, (_, ground) => judgeCursors(orderFeed(ground), ground)),
    ),
  },
  {
    name: 'changes-new-order',
    about: 'A new order appears behind the last cursor.',
    see: changesAt,
    run: ifOffered('changes', changesNewOrder),
  },
  {
    name: 'changes-unknown-cursor',
    about: 'A cursor that the feed of changes does not know is refused: 410.',
    see: changesAt,
    run: ifOffered(
      'changes',
      having(two, (_, ground) => judgeUnknownCursor(orderFeed(ground))),
    ),
  },
]

export const agreementChecks: readonly Check[] = [
  {
    name: 'agreements',
    about: 'GET /tripartite-agreements?changed_after= begins at the beginning, with agreements that can be.',
    see: agreementsAt,
    run: ifOffered('tripartite', async (ground) => {
      const judged = await judgeFirst(agreementFeed(ground))
      if (judged.outcome !== 'ok') return judged
      const answer = await ground.vendor.agreements(null)
      return answer.kind === 'ok' ? judgeAgreements(answer.value.agreements) : refused('a page', answer)
    }),
  },
  {
    name: 'agreements-cursor',
    about: 'The feed of agreements goes on behind each cursor, and comes to an end.',
    see: agreementsAt,
    run: ifOffered('tripartite', (ground) => judgeCursors(agreementFeed(ground), ground)),
  },
  {
    name: 'agreements-unknown-cursor',
    about: 'A cursor that the feed of agreements does not know is refused: 410.',
    see: agreementsAt,
    run: ifOffered('tripartite', async (ground) => {
      const judged = await judgeUnknownCursor(agreementFeed(ground))
      if (judged.outcome !== 'failed') return judged
      // Without any agreement, an empty page may as well be the feed from its beginning.
      const first = await ground.vendor.agreements(null)
      return first.kind === 'ok' && first.value.agreements.length === 0 ? skipped('there are no agreements') : judged
    }),
  },
]

async function changesNewOrder(ground: Ground): Promise<CheckOutcome> {
  const { terms, data } = ground
  const read = orderFeed(ground)
  const walked = await walk(read)
  if (walked.kind === 'broken') return skipped('changes-cursor comes first')
  const placed = await ground.place(data.order())
  if (placed.kind !== 'ok') return skipped(`place-order comes first: ${said(placed)}`)
  const begun = performance.now()
  let { cursor } = walked
  for (;;) {
    const answer = await read(cursor)
    if (answer.kind !== 'ok') return refused('a page', answer)
    if (answer.value.expired) return failed('a page behind the last cursor', '410, or expired')
    if (answer.value.ids.includes(placed.value.orderId)) return ok()
    ;({ cursor } = answer.value)
    const isLate = performance.now() - begun > terms.patienceMs || terms.isOver()
    if (isLate) return failed(`the new order within ${terms.patienceMs / 1000} s`, 'a feed without it')
    if (!answer.value.hasMore) await terms.pause(Math.min(terms.pollMs, terms.patienceMs / 10))
  }
}

function orderFeed({ vendor }: Ground): ReadFeed {
  return async (cursor) => {
    const answer = await vendor.changes(cursor, limit)
    if (answer.kind !== 'ok') return answer
    const { orders, unreadable = [], ...rest } = answer.value
    return { kind: 'ok', value: { ...rest, unreadable, ids: orders.map(({ orderId }) => orderId) } }
  }
}

function agreementFeed({ vendor }: Ground): ReadFeed {
  return async (cursor) => {
    const answer = await vendor.agreements(cursor)
    if (answer.kind !== 'ok') return answer
    const { agreements, unreadable = [], ...rest } = answer.value
    const ids = agreements.map(({ id, state, modifyTime }) => `${id} ${state} ${modifyTime}`)
    return { kind: 'ok', value: { ...rest, unreadable, ids } }
  }
}

const dayMs = 86_400_000

function judgeAgreements(agreements: readonly VendorAgreement[]): CheckOutcome {
  const count = (fits: (agreement: VendorAgreement) => boolean) => agreements.filter((one) => !fits(one)).length
  const complaints = [
    ['an id of 1 to 32 digits', count(({ id }) => /^\d{1,32}$/.test(id))],
    ['a state from 1 to 9', count(({ state }) => Number.isInteger(state) && state >= 1 && state <= 9)],
    [
      'a modify_time in milliseconds, not over a day ahead',
      count(({ modifyTime }) => modifyTime >= 1e12 && modifyTime <= Date.now() + dayMs),
    ],
  ] as const
  const wrong = complaints.find(([, found]) => found > 0)
  return wrong === undefined
    ? ok()
    : warning(wrong[0], `another in ${wrong[1]} of ${agreements.length}, which are passed over`)
}

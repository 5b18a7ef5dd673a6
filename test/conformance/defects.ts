import { vi } from 'vitest'
import type { VendorAdapter, VendorOrder } from '../../src/adapter.js'
import type { SandboxVendor } from '../../src/sandbox/vendor/server.js'
import { apiKey } from './kit.js'

/** A vendor that breaks one rule: its system, or the adapter before it. `done` is an order with stages and a result. */
export interface Defect {
  defect: string
  /** The check that is named for it. */
  found: string
  /** Checks that cannot but see it, too. */
  also?: readonly string[]
  /** Part of what it says. */
  says?: string
  sandbox?: (sandbox: SandboxVendor, done: string) => void
  adapter?: (good: Good, done: string) => Partial<VendorAdapter>
}

export type Good = VendorAdapter & Required<Pick<VendorAdapter, 'getOrders' | 'changes' | 'agreements'>>

const failure = (kind: 'final' | 'misconfigured', status: number) => ({ kind, status, message: `answered ${status}` })
const later = (status: number) => ({ kind: 'retry', status, message: `answered ${status}`, ambiguous: false }) as const
const ok = <T>(value: T) => ({ kind: 'ok', value }) as const

/** Changes every order that is read. */
function reading(good: Good, change: (order: VendorOrder) => VendorOrder): Partial<VendorAdapter> {
  return {
    getOrder: async (id, call) => {
      const answer = await good.getOrder(id, call)
      return answer.kind === 'ok' && answer.value !== null ? ok(change(answer.value)) : answer
    },
  }
}

const time = 1_767_312_000_000
const stage = { id: 'a', name: 'a', time }
const report = { name: 'a.pdf', url: 'https://files.example.com/r/1', type: 2 as const }

const accounts: readonly Defect[] = [
  {
    defect: 'offers a batch that the adapter does not have',
    found: 'capabilities',
    adapter: () => ({ getOrders: undefined as never }),
  },
  {
    defect: 'answers capabilities with texts',
    found: 'capabilities',
    also: ['answers'],
    adapter: () => ({ capabilities: async () => ok({ batch: 'yes', changes: false, tripartite: false } as never) }),
  },
  {
    defect: 'refuses bindings',
    found: 'bind-account',
    adapter: () => ({ bindAccount: async () => failure('final', 422) }),
  },
  {
    defect: 'makes another customer of each binding',
    found: 'bind-account-again',
    adapter: () => {
      let customers = 0
      return { bindAccount: async () => ok({ customerId: `C-${++customers}` }) }
    },
  },
]

const placing: readonly Defect[] = [
  {
    defect: 'refuses orders',
    found: 'place-order',
    also: ['place-order-sparse'],
    adapter: () => ({ placeOrder: async () => failure('final', 422) }),
  },
  {
    defect: 'falls over an order without a name',
    found: 'place-order-sparse',
    adapter: (good) => ({
      placeOrder: async (order, call) => (order.candidate.name ? good.placeOrder(order, call) : later(500)),
    }),
  },
  {
    defect: 'makes a second order of a request that comes while the first is running',
    found: 'idempotency-key-at-once',
    adapter: (good) => {
      const running = new Set<string>()
      let more = 7_000
      return {
        placeOrder: async (order, call) => {
          const id = order.backgroundCheckId
          if (running.has(id)) return good.placeOrder({ ...order, backgroundCheckId: String(++more) }, call)
          running.add(id)
          return good.placeOrder(order, call).finally(() => running.delete(id))
        },
      }
    },
  },
  {
    defect: 'answers 500 to a request that comes while the first is running',
    found: 'idempotency-key-at-once',
    adapter: (good) => {
      const running = new Set<string>()
      return {
        placeOrder: async (order, call) => {
          const id = order.backgroundCheckId
          if (running.has(id)) return later(500)
          running.add(id)
          return good.placeOrder(order, call).finally(() => running.delete(id))
        },
      }
    },
  },
  {
    defect: 'forgets a key after the answer',
    found: 'idempotency-key',
    also: ['idempotency-key-other-body'],
    adapter: (good) => {
      const placed = new Map<string, number>()
      return {
        placeOrder: async (order, call) => {
          const id = order.backgroundCheckId
          const times = placed.get(id) ?? 0
          const answer = await good.placeOrder(
            times === 0 ? order : { ...order, backgroundCheckId: `${times}${id.slice(5)}` },
            call,
          )
          placed.set(id, times + 1)
          return answer
        },
      }
    },
  },
  {
    defect: 'makes a second order of another body',
    found: 'idempotency-key-other-body',
    adapter: (good) => ({
      placeOrder: async (order, call) => {
        const isOther = order.comment.includes('changed')
        return good.placeOrder(isOther ? { ...order, backgroundCheckId: '9001' } : order, call)
      },
    }),
  },
  {
    defect: 'refuses another body under a key',
    found: 'idempotency-key-other-body',
    adapter: (good) => ({
      placeOrder: async (order, call) =>
        order.comment.includes('changed') ? failure('final', 422) : good.placeOrder(order, call),
    }),
  },
]

const reads: readonly Defect[] = [
  { defect: 'finds no order', found: 'find-order', adapter: () => ({ findOrder: async () => ok(null) }) },
  {
    defect: 'has the order of no check',
    found: 'find-order',
    adapter: (good) => ({
      findOrder: async (id, call) => {
        const answer = await good.findOrder(id, call)
        if (answer.kind !== 'ok' || answer.value === null) return answer
        const { backgroundCheckId: _, ...rest } = answer.value
        return ok(rest)
      },
    }),
  },
  {
    defect: 'overlooks what is looked for',
    found: 'find-order-unknown',
    adapter: (good, done) => ({
      findOrder: async (id, call) => {
        const answer = await good.findOrder(id, call)
        return answer.kind === 'ok' && answer.value === null ? good.getOrder(done, call) : answer
      },
    }),
  },
  {
    defect: 'answers with another order than the one that was asked for',
    found: 'get-order',
    adapter: (good) => reading(good, (order) => ({ ...order, orderId: 'V-0' })),
  },
  {
    defect: 'writes times as texts',
    found: 'get-order',
    also: ['read-again', 'answers'],
    adapter: (good) =>
      reading(good, (order) => ({
        ...order,
        stages: order.stages.map((one) => ({ ...one, time: String(one.time) as never })),
      })),
  },
  {
    defect: 'makes up orders that it does not have',
    found: 'get-order-unknown',
    adapter: (good) => ({
      getOrder: async (orderId, call) => {
        const answer = await good.getOrder(orderId, call)
        return answer.kind === 'ok' && answer.value === null ? ok({ orderId, status: 'pending', stages: [] }) : answer
      },
    }),
  },
  {
    defect: 'answers 500 for an order that it does not have',
    found: 'get-order-unknown',
    adapter: (good) => ({
      getOrder: async (orderId, call) => {
        const answer = await good.getOrder(orderId, call)
        return answer.kind === 'ok' && answer.value === null ? later(500) : answer
      },
    }),
  },
  {
    defect: 'answers an order of a batch twice',
    found: 'batch',
    adapter: (good) => ({
      getOrders: async (ids, call) => {
        const answer = await good.getOrders(ids, call)
        return answer.kind === 'ok' ? ok([...answer.value, ...answer.value.slice(0, 1)]) : answer
      },
    }),
  },
  {
    defect: 'has no list, although it offers batches',
    found: 'batch',
    also: ['batch-unknown', 'batch-100'],
    says: 'warning batch',
    adapter: () => ({ getOrders: async () => later(404) }),
  },
  {
    defect: 'refuses a batch with one order that it does not have',
    found: 'batch-unknown',
    also: ['batch-100'],
    adapter: (good) => ({
      getOrders: async (ids, call) => {
        const answer = await good.getOrders(ids, call)
        return answer.kind === 'ok' && answer.value.length < ids.length ? failure('final', 400) : answer
      },
    }),
  },
  {
    defect: 'takes 50 ids in a batch',
    found: 'batch-100',
    adapter: (good) => ({
      getOrders: async (ids, call) => (ids.length > 50 ? failure('final', 422) : good.getOrders(ids, call)),
    }),
  },
]

const feeds: readonly Defect[] = [
  {
    defect: 'has an entry in its feed that cannot be read',
    found: 'changes',
    adapter: (good) => ({
      changes: async (cursor, limit, call) => {
        const answer = await good.changes(cursor, limit, call)
        return answer.kind === 'ok'
          ? ok({ ...answer.value, unreadable: [{ id: null, complaint: 'status: expected string' }] })
          : answer
      },
    }),
  },
  {
    defect: 'overlooks the limit',
    found: 'changes-limit',
    adapter: (good) => ({ changes: (cursor, _, call) => good.changes(cursor, 100, call) }),
  },
  {
    defect: 'says that there is no more when there is',
    found: 'changes-limit',
    adapter: (good) => ({
      changes: async (cursor, limit, call) => {
        const answer = await good.changes(cursor, limit, call)
        return answer.kind === 'ok' ? ok({ ...answer.value, hasMore: false }) : answer
      },
    }),
  },
  {
    defect: 'begins its feed anew for every cursor',
    found: 'changes-cursor',
    also: ['changes-unknown-cursor'],
    adapter: (good) => ({ changes: (_, limit, call) => good.changes(null, limit, call) }),
  },
  {
    defect: 'has a feed that never ends',
    found: 'changes-cursor',
    says: '10 pages with nothing new',
    adapter: (good) => {
      let pages = 0
      return {
        changes: async (_, limit, call) => {
          const answer = await good.changes(null, limit, call)
          if (_?.startsWith('bgc-')) return failure('final', 422)
          return answer.kind === 'ok' ? ok({ ...answer.value, hasMore: true, cursor: `c-${++pages}` }) : answer
        },
      }
    },
  },
  {
    defect: 'gives one cursor for all pages',
    found: 'changes-cursor',
    says: 'one that was given before',
    adapter: (good) => ({
      changes: async (cursor, limit, call) => {
        if (cursor?.startsWith('bgc-')) return failure('final', 422)
        const answer = await good.changes(null, limit, call)
        return answer.kind === 'ok' ? ok({ ...answer.value, hasMore: true, cursor: 'c-1' }) : answer
      },
    }),
  },
  {
    defect: 'leaves new orders out of its feed',
    found: 'changes-new-order',
    adapter: (good) => ({
      changes: async (cursor, limit, call) => {
        const answer = await good.changes(cursor, limit, call)
        return answer.kind === 'ok' && cursor !== null ? ok({ ...answer.value, orders: [] }) : answer
      },
    }),
  },
  {
    defect: 'takes any cursor for the end of its feed',
    found: 'changes-unknown-cursor',
    adapter: (good) => ({
      changes: async (cursor, limit, call) =>
        cursor?.startsWith('bgc-')
          ? ok({ expired: false, orders: [], cursor, hasMore: false })
          : good.changes(cursor, limit, call),
    }),
  },
  {
    defect: 'names a state of agreements that Feishu does not have',
    found: 'agreements',
    sandbox: (sandbox) => sandbox.setAgreement({ id: '303', tenant_key: 'tk_a', state: 12, modify_time: time }),
  },
  {
    defect: 'begins its feed of agreements anew for every cursor',
    found: 'agreements-cursor',
    also: ['agreements-unknown-cursor'],
    adapter: (good) => ({ agreements: (_, call) => good.agreements(null, call) }),
  },
  {
    defect: 'falls over a cursor of agreements that it does not know',
    found: 'agreements-unknown-cursor',
    adapter: (good) => ({
      agreements: async (cursor, call) => (cursor?.startsWith('bgc-') ? later(500) : good.agreements(cursor, call)),
    }),
  },
]

const stages: readonly Defect[] = [
  {
    defect: 'gives stages another id in every answer',
    found: 'stages-stable',
    adapter: (good) => {
      let answers = 0
      return reading(good, (order) => {
        answers += 1
        return { ...order, stages: order.stages.map((one) => ({ ...one, id: `${one.id}-${answers}` })) }
      })
    },
  },
  {
    defect: 'gives two stages one id',
    found: 'stage-ids',
    sandbox: (sandbox, done) => sandbox.setOrder(done, { stages: [stage, { ...stage, name: 'b' }] }),
  },
  {
    defect: 'writes times in seconds',
    found: 'stage-times',
    sandbox: (sandbox, done) => sandbox.setOrder(done, { stages: [{ ...stage, time: 1_767_312_000 }] }),
  },
  {
    defect: 'has times that go backwards',
    found: 'stage-times',
    sandbox: (sandbox, done) => sandbox.setOrder(done, { stages: [stage, { ...stage, id: 'b', time: time - 1 }] }),
  },
  {
    defect: 'has a stage without a name',
    found: 'stage-texts',
    sandbox: (sandbox, done) => sandbox.setOrder(done, { stages: [{ ...stage, name: ' ' }] }),
  },
  {
    defect: 'has a name that is too long',
    found: 'stage-texts',
    sandbox: (sandbox, done) => sandbox.setOrder(done, { stages: [{ ...stage, name: '核'.repeat(101) }] }),
  },
  {
    defect: 'has a result of a stage without a report',
    found: 'stage-texts',
    sandbox: (sandbox, done) => sandbox.setOrder(done, { stages: [{ ...stage, result: '绿灯' }] }),
  },
  {
    defect: 'completes an order without a result',
    found: 'result',
    adapter: (good) =>
      reading(good, (order) => {
        const { result: _, ...rest } = order
        return rest
      }),
  },
  {
    defect: 'has a result of an order that is not completed',
    found: 'result',
    adapter: (good) =>
      reading(good, (order) => ({ ...order, status: order.status === 'completed' ? 'in_progress' : order.status })),
  },
  {
    defect: 'has a link without TLS',
    found: 'report-links',
    sandbox: (sandbox, done) =>
      sandbox.setOrder(done, { stages: [{ ...stage, reports: [{ ...report, url: 'http://files.example.com/1' }] }] }),
  },
  {
    defect: 'has a password in a link',
    found: 'report-links',
    sandbox: (sandbox, done) =>
      sandbox.setOrder(done, {
        stages: [{ ...stage, reports: [{ ...report, url: 'https://a:canary@files.example.com/1' }] }],
      }),
  },
  {
    defect: 'wants a key for its files',
    found: 'report-files',
    sandbox: (sandbox) => fileFault(sandbox, { kind: 'answer', httpStatus: 401 }),
  },
  {
    defect: 'redirects from its links',
    found: 'report-files',
    sandbox: (sandbox) => fileFault(sandbox, { kind: 'answer', httpStatus: 302, headers: { location: '/elsewhere' } }),
  },
  {
    defect: 'has a page of HTML behind the link of a PDF',
    found: 'report-files',
    sandbox: (sandbox) => fileFault(sandbox, { kind: 'garbage' }),
  },
]

function fileFault(sandbox: SandboxVendor, action: Parameters<SandboxVendor['addFault']>[0]['action']): void {
  sandbox.addFault({ match: { operation: 'files' }, action, times: 'always' })
}

const canceling: readonly Defect[] = [
  {
    defect: 'cannot cancel',
    found: 'cancel-order',
    // A cancel of nothing fails as well.
    also: ['cancel-order-unknown', 'clean-up'],
    adapter: () => ({ cancelOrder: async () => later(500) }),
  },
  {
    defect: 'refuses a cancel that comes again',
    found: 'cancel-order-again',
    adapter: (good) => {
      const canceled = new Set<string>()
      return {
        cancelOrder: async (id, reason, call) => {
          if (canceled.has(id)) return failure('final', 422)
          canceled.add(id)
          return good.cancelOrder(id, reason, call)
        },
      }
    },
  },
  {
    defect: 'says yes to a cancel and goes on',
    found: 'cancel-order-status',
    adapter: () => ({ cancelOrder: async () => ok(null) }),
  },
  {
    defect: 'forgets an order that is canceled',
    found: 'cancel-order-status',
    adapter: (good) => ({
      getOrder: async (id, call) => {
        const answer = await good.getOrder(id, call)
        return answer.kind === 'ok' && answer.value?.status === 'canceled' ? ok(null) : answer
      },
    }),
  },
  {
    defect: 'falls over a cancel of an order that it does not have',
    found: 'cancel-order-unknown',
    adapter: (good) => ({
      cancelOrder: async (id, reason, call) => {
        const answer = await good.cancelOrder(id, reason, call)
        return answer.kind === 'ok' ? answer : failure('misconfigured', 404)
      },
    }),
  },
]

const whole: readonly Defect[] = [
  {
    defect: 'says nothing of when to come again',
    found: 'retry-after',
    sandbox: (sandbox) =>
      sandbox.addFault({ match: { operation: 'orders.find' }, action: { kind: 'rate_limited' }, times: 1 }),
  },
  {
    defect: 'throws',
    found: 'answers',
    also: ['get-order-unknown'],
    adapter: (good) => ({
      getOrder: async (id, call) => {
        const answer = await good.getOrder(id, call)
        if (answer.kind === 'ok' && answer.value === null) throw new TypeError(`canary ${apiKey}`)
        return answer
      },
    }),
  },
  {
    defect: 'takes longer than VENDOR_TIMEOUT_MS',
    found: 'latency',
    adapter: (good) => {
      // The time goes by and nobody waits.
      const real = performance.now.bind(performance)
      let later = 0
      vi.spyOn(performance, 'now').mockImplementation(() => real() + later)
      return {
        bindAccount: async (account, call) => {
          later += 60_001
          return good.bindAccount(account, call)
        },
      }
    },
  },
]

export const defects: readonly Defect[] = [
  ...accounts,
  ...placing,
  ...reads,
  ...feeds,
  ...stages,
  ...canceling,
  ...whole,
]

import { startSandboxVendor } from '../../src/sandbox/index.js'
import { answerQuestions } from '../support/answer.js'
import { type Span, vendorKey } from './settings.js'

/* The sandbox vendor: each order gets a stage after a while and a result after another. */

export interface VendorSetup {
  changes: boolean
  /** When an order has its stage, after it was placed, and when its result, after that. */
  stageAfterMs: Span
  resultAfterMs: Span
}

export interface VendorSaw {
  /** When the vendor took the order, and since when it shows the stage and the result, in ms since 1970. */
  orders: Array<{ id: string; placedAt: number; stageAt?: number; resultAt?: number }>
  /** Checks that were ordered more than once. */
  doubled: number
  calls: Record<string, { count: number; meanMs: number }>
}

let vendor: Awaited<ReturnType<typeof startSandboxVendor>> | undefined
const running = () => {
  if (vendor === undefined) throw new Error('the sandbox is not set up')
  return vendor
}

answerQuestions(
  { setUp, notify: (target: { url: string; key: string }) => running().setNotify(target), placed, saw },
  async () => vendor?.stop(),
)

async function setUp({ changes, stageAfterMs, resultAfterMs }: VendorSetup): Promise<string> {
  const within = ([least, most]: Span) => Math.round(least + (most - least) * Math.random())
  vendor = await startSandboxVendor({
    apiKey: vendorKey,
    capabilities: { batch: true, changes, tripartite: false },
    scenario: () => [
      {
        afterMs: within(stageAfterMs),
        stage: { id: 'education', name: '学历核实', reports: [{ name: 'education.pdf' }], result: '绿灯' },
      },
      { afterMs: within(resultAfterMs), result: { result: '绿灯', reports: [{ name: 'final.pdf' }] } },
    ],
  })
  return vendor.url
}

function placed(): number {
  return running().orders().length
}

function saw(): VendorSaw {
  const orders = running().orders()
  const calls: VendorSaw['calls'] = {}
  for (const { operation = 'none', at, endedAt = at } of running().calls()) {
    const known = calls[operation] ?? { count: 0, meanMs: 0 }
    const count = known.count + 1
    calls[operation] = { count, meanMs: known.meanMs + (endedAt - at - known.meanMs) / count }
  }
  return {
    orders: orders.map(({ backgroundCheckId: id, createdAt: placedAt, stages: [stage], result }) => ({
      id,
      placedAt,
      ...(stage && { stageAt: stage.time }),
      ...(result && { resultAt: result.time }),
    })),
    doubled: orders.length - new Set(orders.map((order) => order.backgroundCheckId)).size,
    calls,
  }
}

import type { Script, VendorOrder, VendorOrders } from './orders.js'

type Running = { steps: Script; next: number; timer?: NodeJS.Timeout }

/** Plays the script of each order: timed steps by themselves, the others when asked. */
export class Scripts {
  #orders: VendorOrders
  #running = new Map<string, Running>()
  #stopped = false

  constructor(orders: VendorOrders) {
    this.#orders = orders
  }

  start(order: VendorOrder, steps: Script): void {
    clearTimeout(this.#running.get(order.orderId)?.timer)
    const running: Running = { steps, next: 0 }
    this.#running.set(order.orderId, running)
    this.#schedule(order.orderId, running)
  }

  /** Takes the next step now. Answers whether there was one. */
  advance(id: string): boolean {
    const { orderId } = this.#orders.get(id)
    const running = this.#running.get(orderId)
    return running ? this.#step(orderId, running) : false
  }

  stop(): void {
    this.#stopped = true
    for (const { timer } of this.#running.values()) clearTimeout(timer)
  }

  #schedule(orderId: string, running: Running): void {
    const afterMs = running.steps[running.next]?.afterMs
    if (afterMs === undefined || this.#stopped) return
    running.timer = setTimeout(() => this.#step(orderId, running), afterMs)
  }

  #step(orderId: string, running: Running): boolean {
    clearTimeout(running.timer)
    const step = running.steps[running.next]
    if (!step || this.#isOver(orderId)) return false
    running.next++
    this.#orders.run(orderId, step)
    this.#schedule(orderId, running)
    return true
  }

  /** A check that was canceled goes on no further. */
  #isOver(orderId: string): boolean {
    return this.#orders.find(orderId)?.status === 'canceled'
  }
}

/** A check as a customer sees it: three stages and a clean result, `paceMs` apart or each at a word. */
export function demoScript(paceMs: number | 'by_hand' = 1500): (order: VendorOrder) => Script {
  const pace = paceMs === 'by_hand' ? {} : { afterMs: paceMs }
  return () => [
    { ...pace, stage: { id: 'identity', name: '身份核验', en_name: 'Identity verified' } },
    {
      ...pace,
      stage: {
        id: 'education',
        name: '学历核实完成',
        en_name: 'Education verified',
        result: '绿灯',
        reports: [{ name: 'education.pdf' }],
      },
    },
    { ...pace, stage: { id: 'employment', name: '工作履历核实完成', en_name: 'Employment verified' } },
    { ...pace, result: { result: '绿灯', reports: [{ name: 'final.pdf' }] } },
  ]
}

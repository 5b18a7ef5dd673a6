import { post } from '../support/post.js'
import type { VendorOrder } from './orders.js'

export type Nudge = { at: number; orderId: string; httpStatus?: number; reason?: string }
export type NudgeTarget = { url: string; key: string }

/** Tells the service that an order changed: once, for a nudge that is lost is made good by polling. */
export class Nudges {
  readonly sent: Nudge[] = []
  #target: NudgeTarget | undefined

  constructor(target: NudgeTarget | undefined) {
    this.#target = target
  }

  aim(target: NudgeTarget | undefined): void {
    this.#target = target
  }

  async send({ orderId }: VendorOrder): Promise<void> {
    if (!this.#target) return
    const nudge: Nudge = { at: Date.now(), orderId }
    this.sent.push(nudge)
    const { url, key } = this.#target
    const outcome = await post({
      url: `${url.replace(/\/$/, '')}/v1/vendor/orders/${encodeURIComponent(orderId)}/changed`,
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
      body: Buffer.from('{}'),
      timeoutMs: 5000,
    })
    if (outcome.kind === 'answered') nudge.httpStatus = outcome.status
    else nudge.reason = outcome.kind === 'timeout' ? 'no answer in time' : outcome.reason
  }
}

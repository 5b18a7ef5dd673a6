import type { World } from '../../test/faults/kit/world.js'
import type { Crowd } from './crowd.js'
import type { Point } from './slope.js'

export interface Latencies {
  /** From the first time that Feishu pushed an order's event until it was placed at the vendor for the first time, ms. */
  toVendor: Point[]
  /** From the moment at which the vendor had a stage or result until Feishu was called with it for the first time, ms. */
  toFeishu: Point[]
}

/** Read off the journals of both sandboxes; `at` is when it began. */
export function latenciesOf({ feishu, vendor }: World, { checks }: Crowd): Latencies {
  const placedAt = new Map<string, number>()
  for (const { operation, backgroundCheckId, at } of vendor.calls())
    if (operation === 'orders.create' && backgroundCheckId !== undefined && !placedAt.has(backgroundCheckId))
      placedAt.set(backgroundCheckId, at)
  const calledAt = new Map<string, number>()
  for (const { api, backgroundCheckId = '', body, at } of feishu.calls()) {
    const key = keyOf(backgroundCheckId, String(api), stageOf(body))
    if (!calledAt.has(key)) calledAt.set(key, at)
  }
  const toVendor = checks.flatMap(({ id, eventId }) => {
    const pushedAt = feishu.event(eventId).attempts[0]?.at
    return between(pushedAt, placedAt.get(id))
  })
  const toFeishu = checks.flatMap(({ id }) => {
    if (vendor.orderCount(id) === 0) return []
    const { stages, result } = vendor.order(id)
    const sent = stages.flatMap((stage) => between(stage.time, calledAt.get(keyOf(id, 'update_progress', stage.id))))
    return [...sent, ...between(result?.time, calledAt.get(keyOf(id, 'update_result', '')))]
  })
  return { toVendor, toFeishu }
}

function between(from: number | undefined, to: number | undefined): Point[] {
  return from === undefined || to === undefined ? [] : [{ at: from, value: Math.max(0, to - from) }]
}

function keyOf(id: string, api: string, stageId: string): string {
  return `${id} ${api} ${stageId}`
}

function stageOf(body: unknown): string {
  return typeof body === 'object' && body !== null && 'stage_id' in body ? String(body.stage_id) : ''
}

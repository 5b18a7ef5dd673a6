import type { OrderToPlace } from '../../src/flow/vendor/adapter.js'

/** An order as an event of Feishu brings it, with as little as there can be. */
export function orderToPlace(backgroundCheckId: string, more: Partial<OrderToPlace> = {}): OrderToPlace {
  return {
    backgroundCheckId,
    accountId: '7001',
    tenantKey: 'tk_a',
    packageId: 'pkg',
    additionalItemIds: [],
    candidate: {},
    contact: {},
    customFields: {},
    comment: '',
    ...more,
  }
}

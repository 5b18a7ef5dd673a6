import type { SandboxFeishu, SandboxOrder, SandboxVendor, VendorOrder } from '../index.js'
import { customers } from './lives.js'
import type { Part, Play } from './play.js'

/** One order as the audience sees it. */
export interface Row {
  candidate: string
  customer: string
  about: string
  phase: 'to come' | 'open' | 'ended'
  /** In words; a change of it is news. */
  state: string
  /** Steps that lead to the end, and how many of them the vendor has taken and Feishu has accepted. */
  steps: number
  atVendor: number
  inFeishu: number
}

type Both = { feishu: SandboxFeishu; vendor: SandboxVendor }

export function readRows({ feishu, vendor }: Both, play: Play): Row[] {
  return play.parts.map((part) => {
    const order = part.checkId === undefined ? undefined : feishu.order(part.checkId)
    return rowOf(part, order, order && vendorOrder(vendor, order.backgroundCheckId))
  })
}

export function vendorOrder(vendor: SandboxVendor, checkId: string): VendorOrder | undefined {
  return vendor.orderCount(checkId) === 0 ? undefined : vendor.order(checkId)
}

export function rowOf({ life }: Part, order: SandboxOrder | undefined, atVendor: VendorOrder | undefined): Row {
  const planned = life.vendor.length
  const row = { candidate: life.candidate, customer: customers[life.customer].name, about: life.about, steps: planned }
  if (order === undefined) return { ...row, phase: 'to come', state: 'to come', atVendor: 0, inFeishu: 0 }
  const ended = hasEnded(order, atVendor)
  return {
    ...row,
    phase: ended ? 'ended' : 'open',
    state: stateOf(order, atVendor, ended, planned - 1),
    atVendor: atVendor === undefined ? 0 : atVendor.stages.length + (isOver(atVendor) ? 1 : 0),
    inFeishu: order.stages.length + (order.result === undefined ? 0 : 1),
  }
}

/** An order that the customer canceled has ended when the vendor has let go of it, too. */
function hasEnded(order: SandboxOrder, atVendor: VendorOrder | undefined): boolean {
  if (order.status === 'completed') return true
  return order.status === 'terminated' && (atVendor === undefined || atVendor.status === 'canceled')
}

function isOver({ status }: VendorOrder): boolean {
  return status === 'completed' || status === 'canceled'
}

function stateOf(order: SandboxOrder, atVendor: VendorOrder | undefined, ended: boolean, stages: number): string {
  if (order.status === 'completed') return 'completed'
  if (order.terminatedBy === 'vendor') return 'stopped by vendor'
  if (order.terminatedBy === 'customer') return ended ? 'canceled by customer' : 'being canceled'
  if (order.status === 'in_approval') return 'report in approval'
  if (order.stages.length > 0) return `stage ${order.stages.length} of ${stages}`
  return atVendor === undefined ? 'ordered' : 'at the vendor'
}

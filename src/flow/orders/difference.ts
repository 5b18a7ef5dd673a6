import type { OrderBody, OrderState } from '../map.js'
import type { TimelineNote } from '../timeline.js'

/** One place in what waits; without an `id` it is new. */
export interface Waiting {
  id?: string
  content: OrderBody
}

export interface Difference {
  /** All that waits without an attempt, in the order in which it shall be sent. */
  waiting: Waiting[]
  /** What waited and is no longer wanted. */
  withdrawn: string[]
  /** Dead ends that were surely not taken and are no longer wanted. */
  dropped: string[]
  /** Deliveries that were attempted and may be again: same content, the vendor's latest report links. */
  relinked: Array<{ id: string; content: OrderBody }>
  attention: Attention[]
  notes: TimelineNote[]
  /** `null`: stays as it is. */
  state: OrderState | null
  /**
   * The answer says something else than what is under way to Feishu. That comes back, perhaps without having been seen there:
   * only then is it known what this answer means for it.
   */
  readAgain: boolean
}

export type Attention =
  | 'changed_after_sent'
  | 'vendor_time'
  | 'unknown_to_vendor'
  | 'foreign_order'
  | 'too_many_stages'
  | 'poll_refused'
  | 'delivery_dead'
  | 'value_changed_for_feishu'
  | 'several_vendor_orders'
  | 'vendor_not_told'

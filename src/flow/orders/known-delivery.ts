import type { DeliveryState, OrderBody } from '../map.js'

/** A delivery of the order that is there already, in the order of its lane. */
export interface KnownDelivery {
  id: string
  content: OrderBody
  state: DeliveryState
  /** Feishu may have seen it: it is not rewritten any more. */
  attempted: boolean
  /** An older system sent it: nobody knows here what it said. */
  imported?: boolean
  /** Dead, and nobody knows whether it took effect. */
  unclear?: boolean
  /** Its claim is over and nobody has settled it: it is claimed again, and then its first call may have taken effect. */
  abandoned?: boolean
  seenAt: number
  /** The stage of the vendor in whose place an operator had this one sent. */
  standsFor?: string
}

/** What of a delivery is known without its contents. */
export interface SeenDelivery {
  content: { api: string }
  state: string
  attempted: boolean
}

/** Whether it is the stage of the vendor that Feishu knows by this id, or stands for it. */
export function isStage(delivery: KnownDelivery, stageId: string): boolean {
  return (delivery.standsFor ?? ownStageId(delivery)) === stageId
}

export function ownStageId({ content }: KnownDelivery): string | undefined {
  return content.api === 'update_progress' ? content.body.stage_id : undefined
}

export function stageTimeOf(content: OrderBody): number {
  return content.api === 'update_progress' ? Number(content.body.stage_time) : 0
}

export function resultTimeOf(content: OrderBody): number {
  return content.api === 'update_result' ? Number(content.body.result_time) : 0
}

import type { OrderState } from '../map.js'

/** States of an order in which Feishu takes nothing new: no delivery that died, no stage, no cancel (contract §3.4). */
export const noMore: readonly string[] = ['completed', 'canceled'] satisfies OrderState[]

/** States in which it does not take a result again, either. */
export const noResult: readonly string[] = ['canceled'] satisfies OrderState[]

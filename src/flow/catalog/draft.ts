import { afterDelivered, type Known } from './known.js'
import type { CatalogCall } from './shapes.js'
import { summaryOf } from './summary.js'

/** A call to be made, in its turn. */
export interface Step {
  content: CatalogCall
  summary: string
  /** It deletes for ever, or can only follow a call that does. */
  irreversible: boolean
  /** The same call was made before without a clear answer: what a refusal means depends on that (contract §3.11). */
  probe: boolean
}

/** A plan in the making: each step is taken as if Feishu had done it when the next one is thought of. */
export class Draft {
  readonly steps: Step[] = []
  known: Known

  constructor(known: Known) {
    this.known = known
  }

  add(content: CatalogCall, how: { irreversible?: boolean; probe?: boolean } = {}): void {
    const { irreversible = false, probe = false } = how
    this.steps.push({ content, summary: summaryOf(content, this.known, probe), irreversible, probe })
    this.known = afterDelivered(this.known, content)
  }
}

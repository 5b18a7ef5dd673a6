import type { OrderBody, ProgressBody } from '../map.js'
import type { TimelineNote } from '../timeline.js'
import type { VendorResult, VendorStage } from '../vendor/adapter.js'
import type { Attention, Difference, Waiting } from './difference.js'
import { type End, endsToDrop, endTakenBack } from './ends.js'
import { isStage, type KnownDelivery, ownStageId, resultTimeOf, stageTimeOf } from './known-delivery.js'
import {
  cancelOf,
  contentOf,
  hashedStageId,
  isTerminatedStage,
  progressOf,
  resultOf,
  type Shaped,
  stageIdOf,
} from './stages.js'

const year2001 = 978_307_200_000
const mostAhead = 86_400_000

/** A difference while it is found: stage by stage in the vendor's order, then the result or the cancel. */
export class Draft {
  readonly #id: string
  readonly #now: number
  readonly #attempted: readonly KnownDelivery[]
  readonly #unattempted: readonly KnownDelivery[]
  /** The end that the vendor names now. */
  readonly #end: End | null
  readonly #closed: boolean
  readonly #takenIds: ReadonlySet<string | undefined>
  /** A result that Feishu had an attempt of: another one that waits is an operator's. */
  readonly #hasResult: boolean
  readonly #difference: Difference = {
    waiting: [],
    withdrawn: [],
    dropped: [],
    relinked: [],
    attention: [],
    notes: [],
    state: null,
    readAgain: false,
  }
  #lastTime: number

  constructor(id: string, known: readonly KnownDelivery[], end: End | null, now: number) {
    this.#id = id
    this.#now = now
    this.#end = end
    const dropped = endsToDrop(known, end)
    for (const each of dropped) this.#drop(each)
    this.#attempted = known.filter((each) => each.attempted && !dropped.includes(each))
    this.#unattempted = known.filter((each) => !each.attempted && each.state === 'pending')
    this.#closed = this.#attempted.some((each) => each.content.api !== 'update_progress' && each.state !== 'superseded')
    this.#takenIds = new Set(known.flatMap((each) => (each.standsFor === undefined ? [] : [ownStageId(each)])))
    this.#hasResult = this.#attempted.some(
      (each) => each.content.api === 'update_result' && each.state !== 'superseded',
    )
    this.#lastTime = Math.max(0, ...this.#attempted.map((each) => stageTimeOf(each.content)))
  }

  note(kind: TimelineNote['kind'], detail: Record<string, string | number>): void {
    this.#difference.notes.push({ kind, detail })
  }

  leaveOut(stages: number): void {
    this.#flag('too_many_stages')
    this.note('stages_left_out', { stages })
  }

  /** A stage that the vendor named before and names no longer was seen: it is sent all the same, first. */
  keepVanished(stages: readonly VendorStage[]): void {
    const named = new Set(stages.map((stage) => this.#idOf(stage)))
    for (const { id, content, standsFor } of this.#unattempted) {
      if (content.api !== 'update_progress' || named.has(standsFor ?? content.body.stage_id)) continue
      // Our own words, not the vendor's: they go when the vendor goes on after all.
      if (isTerminatedStage(content.body)) continue
      const time = Math.max(stageTimeOf(content), this.#lastTime + 1)
      this.#lastTime = time
      this.#wait({ id, content: { ...content, body: { ...content.body, stage_time: String(time) } } })
    }
    for (const each of this.#attempted) {
      const { content } = each
      if (content.api !== 'update_progress' || named.has(content.body.stage_id)) continue
      if (isTerminatedStage(content.body)) this.#awaitReturn(each)
    }
  }

  stage(stage: VendorStage): void {
    const stageId = this.#idOf(stage)
    const waiting = this.#unattempted.find((each) => isStage(each, stageId))
    const sent = this.#attempted.findLast((each) => isStage(each, stageId))
    if (sent && waiting?.standsFor === undefined) {
      this.#compareWithSent(sent, this.#wordsOf(stage, stageTimeOf(sent.content), sent).body)
    } else if (this.#closed && waiting?.standsFor === undefined) this.#flagLate(stageId)
    else this.#putStage(stage, stageId, waiting)
  }

  #wordsOf(stage: VendorStage, time: number, delivery: KnownDelivery | undefined): Shaped<ProgressBody> {
    const { body, notes } = progressOf(this.#id, stage, time)
    return { body: { ...body, stage_id: (delivery && ownStageId(delivery)) ?? this.#idOf(stage) }, notes }
  }

  /** An id that a resend took before the vendor named it stays the resend's. */
  #idOf(stage: VendorStage): string {
    const id = stageIdOf(stage.id)
    return this.#takenIds.has(id) ? hashedStageId(stage.id) : id
  }

  #putStage(stage: VendorStage, stageId: string, waiting: KnownDelivery | undefined): void {
    const seenAt = waiting?.seenAt ?? this.#now
    const time = Math.max(
      this.#believable(stage.time, seenAt, { stage_id: stageId }, waiting === undefined),
      this.#lastTime + 1,
    )
    this.#lastTime = time
    const { body, notes } = this.#wordsOf(stage, time, waiting)
    this.#put({ api: 'update_progress', body }, waiting, notes, 'stage_seen', 'stage_replaced', { stage_id: stageId })
    this.#difference.state = 'in_progress'
  }

  result(result: VendorResult): void {
    const sent = this.#attempted.findLast((each) => each.content.api === 'update_result' && each.state !== 'superseded')
    const again = this.#unattempted.some((each) => each.content.api === 'update_result')
    if (sent && again) this.#putResult(result)
    else if (sent) this.#compareWithSent(sent, resultOf(this.#id, result, resultTimeOf(sent.content)).body)
    else if (!this.#closed) this.#putResult(result)
  }

  #putResult(result: VendorResult): void {
    const waiting = this.#unattempted.find((each) => each.content.api === 'update_result')
    const time = this.#believable(result.time, waiting?.seenAt ?? this.#now, {}, waiting === undefined)
    const { body, notes } = resultOf(this.#id, result, time)
    this.#put({ api: 'update_result', body }, waiting, notes, 'result_seen', 'result_replaced', {})
    this.#difference.state = 'reported'
  }

  cancel(): void {
    if (this.#closed) return
    const waiting = this.#unattempted.find((each) => each.content.api === 'cancel')
    this.#wait({ ...(waiting && { id: waiting.id }), content: { api: 'cancel', body: cancelOf(this.#id) } })
    if (waiting === undefined) this.note('vendor_stopped', {})
  }

  finish(anyStage: boolean): Difference {
    const kept = new Set(this.#difference.waiting.map((each) => each.id))
    // What an operator had sent again goes, whatever the vendor names.
    const isAgain = ({ content, standsFor }: KnownDelivery) =>
      standsFor !== undefined || (this.#hasResult && content.api === 'update_result')
    const withdrawn = this.#unattempted.filter((each) => !kept.has(each.id) && !isAgain(each))
    for (const each of withdrawn) {
      if (each.content.api === 'update_result') this.note('result_withdrawn', { delivery_id: each.id })
    }
    this.#difference.withdrawn = withdrawn.map((each) => each.id)
    this.#flagTakenBack()
    if (this.#difference.state === null && !this.#closed) {
      if (anyStage) this.#difference.state = 'in_progress'
      else if (withdrawn.length + this.#difference.dropped.length > 0) this.#difference.state = 'ordered'
    }
    return this.#difference
  }

  #drop({ id, content }: KnownDelivery): void {
    this.#difference.dropped.push(id)
    if (content.api === 'update_result') this.note('result_withdrawn', { delivery_id: id })
  }

  /** Feishu has, or may have, an end that the vendor takes back: it stays as it was sent, and a person has to know. */
  #flagTakenBack(): void {
    const end = endTakenBack(this.#attempted, this.#end)
    if (end === undefined) return
    const kind = end.content.api === 'cancel' ? 'cancel_withdrawn_after_sent' : 'result_withdrawn_after_sent'
    this.#flag('changed_after_sent')
    this.note(kind, { delivery_id: end.id })
    this.#awaitReturn(end)
  }

  /** What is under way may come back without having been seen by Feishu, and then follows the vendor. */
  #awaitReturn({ state, abandoned = false }: KnownDelivery): void {
    if (state === 'sending' && !abandoned) this.#difference.readAgain = true
  }

  #wait(waiting: Waiting): void {
    this.#difference.waiting.push(waiting)
  }

  #put(
    content: OrderBody,
    waiting: KnownDelivery | undefined,
    notes: TimelineNote[],
    seen: TimelineNote['kind'],
    replaced: TimelineNote['kind'],
    detail: Record<string, string>,
  ): void {
    this.#wait({ ...(waiting && { id: waiting.id }), content })
    const changed = waiting !== undefined && contentOf(waiting.content.body) !== contentOf(content.body)
    if (waiting === undefined) this.note(seen, detail)
    if (changed) this.note(replaced, detail)
    if (waiting === undefined || changed) this.#difference.notes.push(...notes)
    if (notes.length > 0) this.#flag('value_changed_for_feishu')
  }

  /** Sent content stays as it was sent; only links of what may be sent again follow the vendor. */
  #compareWithSent(sent: KnownDelivery, body: OrderBody['body']): void {
    if (sent.imported) return
    const stageId = 'stage_id' in body ? body.stage_id : undefined
    if (contentOf(sent.content.body) !== contentOf(body)) {
      this.#flag('changed_after_sent')
      this.note(stageId === undefined ? 'result_changed_after_sent' : 'stage_changed_after_sent', {
        delivery_id: sent.id,
        ...(stageId !== undefined && { stage_id: stageId }),
      })
      this.#awaitReturn(sent)
      return
    }
    if (JSON.stringify(sent.content.body) === JSON.stringify(body)) return
    this.#awaitReturn(sent)
    if (sent.state === 'pending' || sent.state === 'dead' || (sent.state === 'sending' && sent.abandoned)) {
      // The same api and the same content, so the body has the shape that the api asks for.
      this.#difference.relinked.push({ id: sent.id, content: { ...sent.content, body } as OrderBody })
    }
  }

  #flagLate(stageId: string): void {
    // What an older system left out before its result, and why, is not known here.
    if (this.#attempted.some((each) => each.imported && each.content.api === 'update_result')) return
    this.#flag('changed_after_sent')
    this.note('stage_after_end', { stage_id: stageId })
    for (const each of this.#attempted) if (each.content.api !== 'update_progress') this.#awaitReturn(each)
  }

  /** The vendor's time, or the time it was seen where the vendor's cannot be true. */
  #believable(time: number, seenAt: number, about: Record<string, string>, first: boolean): number {
    if (time >= year2001 && time <= Math.max(this.#now, seenAt + mostAhead)) return Math.floor(time)
    this.#flag('vendor_time')
    if (first) this.note('time_corrected', { ...about, given: time, used: seenAt })
    return seenAt
  }

  #flag(attention: Attention): void {
    if (!this.#difference.attention.includes(attention)) this.#difference.attention.push(attention)
  }
}

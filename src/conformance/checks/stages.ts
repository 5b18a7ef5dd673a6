import type { VendorOrder } from '../../flow/vendor/adapter.js'
import { type Check, having } from '../check.js'
import type { Ground, Sample } from '../ground.js'
import { refused } from '../ground.js'
import { breakIn } from '../progress.js'
import { type CheckOutcome, failed, ok, skipped, warning } from '../result.js'
import { jsonOf } from '../wire.js'

const samples = (ground: Ground) => ground.samples()
const noStages = 'no order with a stage was seen: try --wait, or --order-id'

export const stageChecks: readonly Check[] = [
  {
    name: 'progress',
    about: 'An order that is watched (--wait) only goes on: stages are added, none is lost or changed.',
    see: 'what-feishu-gets',
    run: async (ground) => {
      if (ground.terms.waitMs === 0) return skipped('nothing is waited for without --wait')
      const placed = await ground.order()
      return placed.kind === 'missing' ? placed.outcome : follow(placed.value.orderId, ground)
    },
  },
  {
    name: 'read-again',
    about: 'Orders still have their documented form at the end.',
    see: 'an-order',
    run: async (ground) => {
      const placed = await ground.order()
      const ids = [...(placed.kind === 'had' ? [placed.value.orderId] : []), ...ground.named]
      for (const orderId of ids) {
        const answer = await ground.vendor.getOrder(orderId)
        if (answer.kind !== 'ok') return refused(`order ${orderId}`, answer)
        if (answer.value === null) return failed(`order ${orderId}`, '404, or null')
      }
      return ids.length === 0 && placed.kind === 'missing' ? placed.outcome : ok()
    },
  },
  {
    name: 'stages-stable',
    about: 'Two readings name the same stages, with the same ids, names, times and results.',
    see: 'what-feishu-gets',
    run: having(samples, (all) => {
      const broken = all.flatMap(({ orderId, first, second }) => about(orderId, breakIn(first, second)))[0]
      return broken === undefined ? ok() : failed('what was named before, in its place', broken)
    }),
  },
  {
    name: 'stage-ids',
    about: 'Each stage of an order has an id of its own.',
    see: 'an-order',
    run: eachOrder(({ stages }) => {
      const ids = stages.map(({ id }) => id)
      if (ids.includes('')) return failed('an id for each stage', 'an empty one')
      const twice = ids.length - new Set(ids).size
      return twice === 0
        ? ok()
        : failed('one id for one stage', `${twice} stages with the id of another: they are passed over`)
    }),
  },
  {
    name: 'stage-times',
    about: 'Times are whole milliseconds of a day that can be, and do not go backwards.',
    see: 'what-feishu-gets',
    run: eachOrder(({ stages }) => {
      const times = stages.map(({ time }) => time)
      const strange = times.findIndex((time) => !isPlausible(time))
      if (strange >= 0)
        return failed(
          'milliseconds since 1970, from 2001 on and not over a day ahead',
          `another time at stages[${strange}]`,
        )
      const back = times.findIndex((time, index) => time < (times[index - 1] ?? time))
      return back < 0 ? ok() : failed('the oldest stage first', `stages[${back}] is older than the one before`)
    }),
  },
  {
    name: 'stage-texts',
    about: 'Names are there and short enough to be sent whole, and a stage with a result has a report.',
    see: 'what-feishu-gets',
    run: eachOrder(({ stages }) => {
      const at = (fits: (stage: VendorOrder['stages'][number]) => boolean) => stages.findIndex((stage) => !fits(stage))
      const nameless = at(({ name }) => name.trim() !== '')
      if (nameless >= 0) return failed('a name for each stage', `none at stages[${nameless}]`)
      const long = at(({ name, enName = '', result = '' }) =>
        [name, enName, result].every((text) => [...text].length <= 100),
      )
      if (long >= 0) return warning('at most 100 characters', `more at stages[${long}]: they are cut`)
      const bare = at(({ result, reports }) => result === undefined || reports.length > 0)
      return bare < 0 ? ok() : warning('a report with a result', `none at stages[${bare}]: the result is left out`)
    }),
  },
  {
    name: 'result',
    about: 'An order has a result exactly when it is completed.',
    see: 'an-order',
    run: async (ground) => {
      const placed = await ground.order()
      const ids = [...(placed.kind === 'had' ? [placed.value.orderId] : []), ...ground.named]
      const found: CheckOutcome[] = []
      for (const orderId of ids) found.push(await judgeResult(orderId, ground))
      return worst(found) ?? (placed.kind === 'missing' ? placed.outcome : ok())
    },
  },
]

async function follow(orderId: string, { vendor, terms }: Ground): Promise<CheckOutcome> {
  const begun = performance.now()
  let before: VendorOrder | null = null
  let changes = 0
  for (;;) {
    const answer = await vendor.getOrder(orderId)
    if (answer.kind !== 'ok') return refused(`order ${orderId}`, answer)
    if (answer.value === null) return failed(`order ${orderId}`, '404, or null')
    const broken: string | null = before === null ? null : breakIn(before, answer.value)
    if (broken !== null) return failed('what was named before, in its place', broken)
    if (before !== null && shapeOf(before) !== shapeOf(answer.value)) changes += 1
    before = answer.value
    const { status, stages } = answer.value
    const isLate = performance.now() - begun >= terms.waitMs || terms.isOver()
    const isOver = status === 'completed' || status === 'canceled' || isLate
    const found = `${stages.length} stages, ${status}`
    if (isOver && changes === 0 && stages.length === 0) return warning(`a stage within ${terms.waitMs / 1000} s`, found)
    if (isOver) return ok(found)
    await terms.pause(terms.pollMs)
  }
}

const shapeOf = ({ status, stages }: VendorOrder) => `${status} ${stages.length}`

function eachOrder(judge: (order: VendorOrder) => CheckOutcome): Check['run'] {
  return having(samples, (all: Sample[]) => {
    const staged = all.filter(({ second }) => second.stages.length > 0)
    if (staged.length === 0) return skipped(noStages)
    return worst(staged.map(({ second }) => judge(second))) ?? ok()
  })
}

/** The http adapter takes no order that breaks this rule, so the wire is asked. */
async function judgeResult(orderId: string, { wire, vendor }: Ground): Promise<CheckOutcome> {
  const raw = await wire?.ask('GET', `/orders/${encodeURIComponent(orderId)}`)
  if (raw !== undefined) {
    const json = raw.kind === 'answer' && raw.status === 200 ? jsonOf(raw) : undefined
    if (typeof json !== 'object' || json === null) return skipped('no order could be read; see get-order, read-again')
    return judgeHasResult(Reflect.get(json, 'status'), Reflect.get(json, 'result') ?? undefined)
  }
  const answer = await vendor.getOrder(orderId)
  if (answer.kind !== 'ok' || answer.value === null) return skipped('no order could be read; see get-order, read-again')
  return judgeHasResult(answer.value.status, answer.value.result)
}

function judgeHasResult(status: unknown, result: unknown): CheckOutcome {
  if (status === 'completed' && result === undefined) return failed('a result, since the order is completed', 'none')
  if (status !== 'completed' && result !== undefined)
    return warning('a result of completed orders only', 'one that is ignored, since the order is not completed')
  const time: unknown = typeof result === 'object' && result !== null ? Reflect.get(result, 'time') : undefined
  const isStrange = typeof time === 'number' && !isPlausible(time)
  return isStrange
    ? failed('a time of the result in milliseconds, from 2001 on and not over a day ahead', 'another')
    : ok()
}

/** docs/vendor-api.md: a time before 2001 or over a day ahead cannot be true. */
function isPlausible(time: number): boolean {
  return Number.isSafeInteger(time) && time >= Date.UTC(2001, 0, 1) && time <= Date.now() + 86_400_000
}

function about(orderId: string, broken: string | null): string[] {
  return broken === null ? [] : [`order ${orderId}: ${broken}`]
}

const ranks = { failed: 0, warning: 1, ok: 2, skipped: 3 } as const

/** Of several orders the one that says most. */
export function worst(outcomes: readonly CheckOutcome[]): CheckOutcome | undefined {
  return outcomes.toSorted((one, other) => ranks[one.outcome] - ranks[other.outcome])[0]
}

import fc from 'fast-check'
import type { VendorOrder } from '../../../src/flow/vendor/adapter.js'
import type { FaultRates, Switches } from '../../../src/sandbox/index.js'
import { at, report, saying, stage } from '../vendor-words.js'
import type { Ending } from './mortal.js'

/** What happens to one order. */
export interface LanePlan {
  customer: number
  /** What the vendor says, one after the other; each time more. */
  sayings: VendorOrder[]
  /** The customer stops the check in Feishu after so many sayings. */
  cancelAfter: number | null
  /** The customer stops it as soon as Feishu holds the result for approval, while the answer is under way. */
  cancelAtResult: boolean
  /** Feishu refuses one of the order's calls for good, so that its delivery is dead. */
  refusal: { call: number; code: number } | null
}

export interface WorldPlan {
  seed: number
  lanes: LanePlan[]
  endings: Ending[]
  rates: FaultRates
  switches: Partial<Switches>
  /** `tight`: both sides keep windows that lanes have to wait for. */
  windows: 'wide' | 'tight'
  retryMaxAgeMs: number
  /** For one call. So long that no load of the machine ends a call, but where calls hang. */
  timeoutMs: number
}

/** Each saying shows this many stages more, under a word that may change while they are being sent. */
interface Growth {
  more: number
  word: string
}

const growth = fc.record<Growth>({ more: fc.integer({ min: 0, max: 2 }), word: fc.constantFrom('one', 'one', 'two') })
const ends = ['completed', 'completed', 'completed', 'completed', 'canceled', 'taken back', 'open'] as const

/** Orders that Feishu is said not to know, and calls that it calls malformed: dead, also as answers to a repeat. */
const finalCodes = [1002862, 99992402]

/** Once in so many times. */
function sometimes<T>(outOf: number, what: fc.Arbitrary<T>): fc.Arbitrary<T | null> {
  return fc.oneof({ weight: 1, arbitrary: what }, { weight: outOf - 1, arbitrary: fc.constant(null) })
}

const someLane: fc.Arbitrary<LanePlan> = fc.record({
  customer: fc.nat(2),
  sayings: fc
    .tuple(fc.array(growth, { minLength: 1, maxLength: 3 }), fc.constantFrom(...ends), fc.array(fc.nat(3)))
    .map(([grown, end, minutes]) => sayingsOf(grown, end, minutes)),
  cancelAfter: sometimes(5, fc.integer({ min: 0, max: 3 })),
  cancelAtResult: fc.nat(2).map((choice) => choice === 0),
  refusal: sometimes(6, fc.record({ call: fc.nat(3), code: fc.constantFrom(...finalCodes) })),
})

function sayingsOf(grown: readonly Growth[], end: (typeof ends)[number], minutes: readonly number[]): VendorOrder[] {
  let count = 0
  const stagesNow = (word: string, link: string) =>
    Array.from({ length: count }, (_, index) =>
      stage(`s${index}`, {
        name: `stage ${index} ${word}`,
        // Times that do not increase by themselves.
        time: at(minutes[index] ?? 1),
        reports: [report('stage.pdf', `https://files.example.com/${link}.pdf`)],
      }),
    )
  const open = grown.map(({ more, word }, index) => {
    count += more
    return saying('in_progress', stagesNow(word, `link-${index}`))
  })
  const last = stagesNow('one', 'link-last')
  if (end === 'open') return open
  if (end === 'taken back') return [...open, saying('canceled', last), saying('completed', last)]
  return [...open, saying(end, last)]
}

const someEnding: fc.Arbitrary<Ending> = fc.record({
  how: fc.constantFrom('killed', 'killed', 'stalled'),
  atStep: fc.oneof(fc.integer({ min: 1, max: 60 }), fc.integer({ min: 1, max: 400 })),
})

const rough: FaultRates = {
  reset: 0.05,
  lostAnswer: 0.08,
  serverError: 0.04,
  serverErrorApplied: 0.05,
  garbage: 0.02,
  garbageApplied: 0.03,
  slow: 0.04,
  tokenExpired: 0.02,
  rateLimited: 0.01,
}
const hanging: FaultRates = { ...rough, hang: 0.003, lostAnswerHang: 0.004 }
/** Most answers are lost: here deliveries die soon, with an outcome that nobody knows. */
const lossy: FaultRates = { ...rough, reset: 0.15, lostAnswer: 0.25, serverErrorApplied: 0.25 }
const lossyMaxAgeMs = 20
const someRates = fc.constantFrom<FaultRates>({}, rough, rough, lossy, lossy, hanging)

const someSwitches: fc.Arbitrary<Partial<Switches>> = fc.record({
  duplicateStage: fc.constantFrom('refuse_1002001_400', 'refuse_1002002_400', 'refuse_1002858', 'accept_silently'),
  // Taken as it comes, a stage that is late shows in the journal.
  staleStageTime: fc.constantFrom('accept', 'accept', 'refuse_1002001_400'),
  orderReads: fc.boolean(),
  cancelOnClosed: fc.constantFrom('ok', 'refuse_1002858'),
  businessErrorHttp: fc.constantFrom(400, 200),
  tokenErrorHttp: fc.constantFrom(400, 401, 200),
  rateLimitStatus: fc.constantFrom(429, 400),
})

const somePlan: fc.Arbitrary<Omit<WorldPlan, 'seed' | 'timeoutMs'>> = fc.record({
  lanes: fc.array(someLane, { minLength: 30, maxLength: 90 }),
  endings: fc.array(someEnding, { maxLength: 12 }),
  rates: someRates,
  switches: someSwitches,
  windows: fc.constant('wide'),
  // Once in a while deliveries die of age.
  retryMaxAgeMs: fc.constantFrom(600_000, 600_000, 600_000, 600),
})

const shortTimeoutMs = 800

/** A call that was answered may have been given up all the same: by a machine that stood still for that long. */
export function mayMissAnswers({ timeoutMs }: WorldPlan): boolean {
  return timeoutMs === shortTimeoutMs
}

/** The same seed gives the same plan; what the machine makes of it differs a little each time. */
export function planOf(seed: number): WorldPlan {
  const [plan] = fc.sample(somePlan, { seed, numRuns: 1 })
  if (plan === undefined) throw new Error('no plan')
  const { rates } = plan
  const retryMaxAgeMs = rates === lossy ? lossyMaxAgeMs : plan.retryMaxAgeMs
  return { seed, ...plan, retryMaxAgeMs, timeoutMs: rates === hanging ? shortTimeoutMs : 10_000 }
}

const mostTightLanes = 50

/** Windows that lanes wait for, and no fault that would keep a slot for longer than the test may take. */
export function tightPlanOf(seed: number): WorldPlan {
  const plan = planOf(seed)
  const { serverError = 0, serverErrorApplied = 0, tokenExpired = 0 } = rough
  return {
    ...plan,
    windows: 'tight',
    lanes: plan.lanes.slice(0, mostTightLanes),
    timeoutMs: 10_000,
    rates: { serverError, serverErrorApplied, tokenExpired },
    endings: plan.endings.slice(0, 3),
    switches: { ...plan.switches, orderReads: false },
  }
}

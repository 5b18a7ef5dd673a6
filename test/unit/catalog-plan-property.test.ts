import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Step } from '../../src/flow/catalog/draft.js'
import {
  afterDelivered,
  afterLost,
  afterRefused,
  afterReplaced,
  type Known,
  nothingKnown,
} from '../../src/flow/catalog/known.js'
import { planCatalog } from '../../src/flow/catalog/plan.js'
import {
  accountId,
  asUpdate,
  mended,
  StrictFeishu,
  settings,
  shown,
  someCatalog,
  sortedCatalog,
} from '../support/catalog.js'

/** What an attempt meets: a lost answer whose call took effect or did not, the end of all attempts, a foreign refusal. */
type Fault = 'none' | 'lost_after' | 'lost_before' | 'given_up' | 'refused'
type End = 'delivered' | 'lost' | 'refused' | 'refused_by_hire'

const someFault: fc.Arbitrary<Fault> = fc.oneof(
  { weight: 4, arbitrary: fc.constant('none' as const) },
  { weight: 4, arbitrary: fc.constantFrom('lost_after' as const, 'lost_before' as const) },
  { weight: 2, arbitrary: fc.constantFrom('given_up' as const, 'refused' as const) },
)

/** One delivery as the outbox makes it (contract §3.11). */
function deliver(feishu: StrictFeishu, { content, probe }: Step, faults: Fault[]): End {
  const isCreate = content.api.endsWith('.create')
  let isAmbiguous = probe
  let isProbing = probe && isCreate
  let wasProbed = false
  for (;;) {
    const fault = faults.shift() ?? 'none'
    if (fault === 'given_up' || fault === 'refused') return isAmbiguous ? 'lost' : 'refused'
    const call = isProbing ? asUpdate(content) : content
    if (fault === 'lost_after') feishu.take(call)
    if (fault !== 'none') {
      isAmbiguous = true
      isProbing = isCreate
      continue
    }
    const { code } = feishu.take(call)
    if (code === 0 || code === 1002859 || (code === 1002860 && isAmbiguous)) return 'delivered'
    if (isProbing) {
      isProbing = false
      isAmbiguous = false
      wasProbed = true
    } else if (code === 1002855 && !wasProbed) isProbing = true
    else return 'refused_by_hire'
  }
}

function learn(known: Known, { content }: Step, end: End): { known: Known; died: boolean } {
  if (end === 'delivered') return { known: afterDelivered(known, content), died: false }
  if (end === 'lost') return { known: afterLost(known, content), died: true }
  const isUpdate = content.api === 'packages.batch_update' && end === 'refused_by_hire'
  const replaced = isUpdate ? afterReplaced(known) : null
  return { known: replaced ?? afterRefused(known, content), died: true }
}

function runOnce(feishu: StrictFeishu, known: Known, steps: readonly Step[], faults: Fault[]): Known {
  for (const step of steps) {
    const learned = learn(known, step, deliver(feishu, step, faults))
    known = learned.known
    if (learned.died) break
  }
  return known
}

test.each(settings)(
  'whatever is lost, refused or given up on the way, Feishu holds the last catalog: %j',
  (switches) => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(someCatalog, fc.array(someFault, { maxLength: 8 })), { minLength: 1, maxLength: 5 }),
        (story) => {
          const feishu = new StrictFeishu(switches)
          let known = nothingKnown()
          for (const [index, [asked, faults]] of story.entries()) {
            const isLast = index === story.length - 1
            let wanted = mended(accountId, known, asked)
            const left = [...faults]
            for (let round = 0; round < (isLast ? 20 : 2); round += 1) {
              // An id that was lost on the way may have been used up: the person takes the next one.
              wanted = mended(accountId, known, wanted)
              const { steps } = planCatalog(accountId, known, wanted)
              if (steps.length === 0) break
              known = runOnce(feishu, known, steps, left)
            }
            if (isLast) expect(shown(feishu.account)).toEqual(sortedCatalog(wanted))
            if (isLast) expect(sortedCatalog(known.held)).toEqual(sortedCatalog(wanted))
          }
          expect(feishu.reused).toEqual([])
        },
      ),
      { numRuns: 1500 },
    )
  },
)

test.each(settings)('without failures one plan leads there, but for a first create that replaces: %j', (switches) => {
  fc.assert(
    fc.property(fc.array(someCatalog, { minLength: 1, maxLength: 6 }), (story) => {
      const feishu = new StrictFeishu(switches)
      let known = nothingKnown()
      for (const asked of story) {
        const wanted = mended(accountId, known, asked)
        const mayLearn = known.appends === null && switches.packagesCreate === 'replace'
        const { steps } = planCatalog(accountId, known, wanted)
        const isOnce = (api: string) => steps.filter((step) => step.content.api === api).length <= 1
        expect(steps.every((step) => isOnce(step.content.api))).toBe(true)
        known = runOnce(feishu, known, steps, [])
        if (mayLearn) known = runOnce(feishu, known, planCatalog(accountId, known, wanted).steps, [])
        expect(shown(feishu.account)).toEqual(sortedCatalog(wanted))
        expect(planCatalog(accountId, known, wanted)).toEqual({ steps: [], complaints: [] })
      }
    }),
    { numRuns: 800 },
  )
})

test('nothing that can be undone comes after what cannot', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(someCatalog, fc.array(someFault, { maxLength: 5 })), { maxLength: 5 }), (story) => {
      const feishu = new StrictFeishu()
      let known = nothingKnown()
      for (const [asked, faults] of story) {
        const { steps } = planCatalog(accountId, known, mended(accountId, known, asked))
        const marks = steps.map((step) => step.irreversible)
        expect(marks).toEqual(marks.toSorted((one, other) => Number(one) - Number(other)))
        expect(steps.filter((step) => step.content.api.endsWith('_delete')).every((step) => step.irreversible)).toBe(
          true,
        )
        known = runOnce(feishu, known, steps, [...faults])
      }
    }),
    { numRuns: 1000 },
  )
})

import type { RunPlan } from './plan.js'
import type { Outcome } from './run.js'

/** A run in one line. */
export function inWords({ plan, faults, checks, calls, settledInMs, broken }: Outcome): string {
  const felt = faults.map(({ name, from, to, bites }) => `${name} ${to - from} ms (felt ${bites}×)`).join(', ')
  const verdict = broken.length === 0 ? 'all promises kept' : `${broken.length} promises broken`
  return `seed ${plan.seed}, ${plan.mode}: ${checks} checks, ${calls} calls; settled ${settledInMs} ms after ${felt}: ${verdict}`
}

/** What a person needs who has to find out what was wrong. */
export function storyInWords(first: Outcome, shortest: Outcome): string {
  const { plan } = first
  return [
    inWords(first),
    ...first.broken.map((each) => `- ${each}`),
    `Again: ${again(plan)}`,
    `The shortest story found has ${shortest.plan.faults.length} of ${plan.faults.length} faults:`,
    inWords(shortest),
    ...shortest.broken.map((each) => `- ${each}`),
    ...shortest.story,
  ].join('\n')
}

function again({ seed, mode, faults }: RunPlan): string {
  const names = faults.map(({ name }) => name).join(',')
  return `npm run faults -- --seed ${seed} --runs 1 --mode '${mode}' --faults '${names}'`
}

import type { Fault, MakeFault } from './catalogue.js'
import type { Link, LinkState } from './link.js'
import type { World } from './world.js'

type Side = 'feishu' | 'vendor' | 'postgres' | 'redis' | 'webhook'
type Harm = Exclude<LinkState, 'open'>

/** Enough to be felt, and less than any timeout. */
const slowMs = 120

/** The network to one side: broken, half-open, slow, or reset in the middle of answers. */
export function linkFaults<S extends Side>(side: S) {
  const harm =
    (state: Harm): MakeFault =>
    (world, { choice }) =>
      onLinks(side, state, chosen(world, side, choice))
  const named = <H extends Harm>(state: H) =>
    ({ [`${side} link ${state}`]: harm(state) }) as Record<`${S} link ${H}`, MakeFault>
  return { ...named('broken'), ...named('silent'), ...named('slow'), ...named('torn') }
}

/** Those of one process or of all. */
function chosen({ places, webhook }: World, side: Side, choice: number): Link[] {
  if (side === 'webhook') return [webhook]
  const all = places.flatMap(({ links }) => links[side] ?? [])
  return choice < 0.5 ? all : all.slice(0, 1)
}

function onLinks(side: Side, state: Harm, links: readonly Link[]): Fault {
  const sum = () => links.reduce((total, link) => total + link.bites, 0)
  let before = 0
  return {
    subject: side,
    losesAnswers: side === 'feishu',
    begin: async () => {
      before = sum()
      for (const link of links) link.set(state, slowMs)
    },
    end: async () => {
      for (const link of links) link.set('open')
    },
    bites: () => sum() - before,
  }
}

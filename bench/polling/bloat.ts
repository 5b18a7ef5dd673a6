import { sum } from '../support/figures.js'
import type { Section } from '../support/report.js'
import type { Cycled } from './claimer.js'
import { dueWithin, type Sizes, sizesOf } from './rows.js'
import type { Settings } from './settings.js'
import { startClaimers, type World } from './world.js'

/** So short that there is always something due. */
const everyMs = 30_000

/**
 * An hour passes within two minutes: PostgreSQL looks for what to vacuum as often for each cycle as once a minute does in
 * an hour, and is as much faster at it.
 */
const asInAnHour = ["autovacuum_naptime = '2s'", 'autovacuum_vacuum_cost_delay = 0']

/** (e) More claims and schedules than an hour brings, one step after the other: what is asked is whether a step grows on the last. */
export async function bloat(world: World, settings: Settings): Promise<Section> {
  const { orders, bloatSteps, bloatCycles } = settings
  await dueWithin(world, -60_000, everyMs)
  await setServer(
    world,
    asInAnHour.map((setting) => `SET ${setting}`),
  )
  const claimers = await startClaimers(world, 2)
  const steps = [{ cycles: 0, seconds: 0, vacuums: await vacuumsOf(world), ...(await sizesOf(world)) }]
  for (let step = 0; step < bloatSteps; step += 1) {
    const question = { forMs: 600_000, cycles: bloatCycles / 2, intervalMs: everyMs }
    const done = await Promise.all(claimers.map((each) => each.ask<Cycled>('run', question)))
    if (done.some((each) => each.cycles < question.cycles)) throw new Error(`not ${bloatCycles} claims within a step`)
    const seconds = Math.max(...done.map((each) => each.seconds))
    steps.push({
      cycles: sum(done.map((each) => each.cycles)),
      seconds,
      vacuums: await vacuumsOf(world),
      ...(await sizesOf(world)),
    })
  }
  await Promise.all(claimers.map((each) => each.stop()))
  await setServer(
    world,
    asInAnHour.map((setting) => `RESET ${setting.split(' ')[0]}`),
  )
  return section(orders, steps)
}

interface Step extends Sizes {
  cycles: number
  seconds: number
  vacuums: number
}

function section(orders: number, steps: readonly Step[]): Section {
  const total = ({ tableMb, indexesMb }: Step) => tableMb + indexesMb
  const [last, before] = [steps.at(-1), steps.at(-2)]
  const growth = last === undefined || before === undefined ? Number.NaN : total(last) / total(before)
  let cycles = 0
  return {
    title: `(e) ${orders} open orders: the size of the schedule over ${sum(steps.map((step) => step.cycles))} claims and schedules`,
    head: ['claims and schedules', 'orders/s', 'table, MB', 'indexes, MB', 'vacuums'],
    rows: steps.map((step) => {
      cycles += step.cycles
      const rate = step.seconds === 0 ? '' : (step.cycles / step.seconds).toFixed(0)
      return [String(cycles), rate, step.tableMb.toFixed(0), step.indexesMb.toFixed(0), String(step.vacuums)]
    }),
    aims: [
      {
        what: 'the last step grows by less than 3 %',
        figure: `${((growth - 1) * 100).toFixed(1)} %`,
        met: growth < 1.03,
      },
    ],
    notes: [
      'An hour of a poll every half hour is two claims and schedules for each order. Here they come as fast as they can, an hour within two minutes, so PostgreSQL looks for what to vacuum every 2 s instead of every minute, and does not pause in between.',
    ],
  }
}

async function setServer({ pool }: World, settings: readonly string[]): Promise<void> {
  for (const setting of settings) await pool.query(`ALTER SYSTEM ${setting}`)
  await pool.query('SELECT pg_reload_conf()')
}

async function vacuumsOf({ pool }: World): Promise<number> {
  const text = `SELECT autovacuum_count::int AS n FROM pg_stat_user_tables WHERE relid = 'poll_schedule'::regclass`
  return (await pool.query<{ n: number }>(text)).rows[0]?.n ?? 0
}

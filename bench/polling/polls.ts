import { setTimeout as sleep } from 'node:timers/promises'
import { type Child, startChild } from '../support/child.js'
import { postgresCpuMs } from '../support/cpu.js'
import { median, spread } from '../support/figures.js'
import type { Section } from '../support/report.js'
import { until } from '../support/wait.js'
import { changeSome, dueWithin } from './rows.js'
import type { Usage } from './service.js'
import { intervalMs, type Settings } from './settings.js'
import type { Asked } from './vendor.js'
import { startPollingService, type World } from './world.js'

interface Round {
  perSecond: number
  ordersPerCall: number
  cpuUs: number
  postgresUs: number
  mostMb: number
  changed: number
}

export interface Polled {
  section: Section
  perSecond: number
}

/** (b) The whole poll: the service in the role that polls, everything due, against a vendor that reads in batches. */
export async function polls(world: World, settings: Settings): Promise<Polled> {
  const vendor = await startChild('polling/vendor')
  const rounds: Round[] = []
  await dueWithin(world, -60_000, intervalMs)
  for (let round = 0; round < settings.pollRounds; round += 1) {
    await changeSome(world, world.sealer, round, settings.orders)
    rounds.push(await poll(world, vendor, settings.pollMs))
  }
  await vendor.stop()
  return { section: section(settings, rounds), perSecond: median(rounds.map((round) => round.perSecond)) }
}

async function poll(world: World, vendor: Child, forMs: number): Promise<Round> {
  const asked = async () => ({ ...(await vendor.ask<Asked>('asked')) })
  const idle = await asked()
  const service = await startPollingService(world, await vendor.ask<string>('url'), intervalMs)
  await until('the service polls in batches', async () => (await asked()).orders > idle.orders + 2000, 20_000, 20)
  const [before, used, cpu, deliveries] = [
    await asked(),
    await service.ask<Usage>('usage'),
    await postgresCpuMs(world.pool),
    await deliveriesOf(world),
  ]
  const startedAt = performance.now()
  await sleep(forMs)
  const after = await asked()
  const seconds = (performance.now() - startedAt) / 1000
  const [usage, cpuAfter, deliveriesAfter] = [
    await service.ask<Usage>('usage'),
    await postgresCpuMs(world.pool),
    await deliveriesOf(world),
  ]
  await service.stop()
  if (!(await isDue(world))) throw new Error('all that was due was asked for before the round was over')
  const orders = after.orders - before.orders
  return {
    perSecond: orders / seconds,
    ordersPerCall: orders / (after.calls - before.calls),
    cpuUs: (1000 * (usage.cpuMs - used.cpuMs)) / orders,
    postgresUs: (1000 * (cpuAfter - cpu)) / orders,
    mostMb: usage.mostMb,
    changed: (deliveriesAfter - deliveries) / 2 / orders,
  }
}

async function isDue({ pool }: World): Promise<boolean> {
  return (await pool.query('SELECT 1 FROM poll_schedule WHERE due_at <= now() AND NOT claimed LIMIT 1')).rowCount === 1
}

async function deliveriesOf({ pool }: World): Promise<number> {
  return (await pool.query<{ n: number }>('SELECT count(*)::int AS n FROM deliveries')).rows[0]?.n ?? 0
}

function section({ orders }: Settings, rounds: readonly Round[]): Section {
  const of = (what: keyof Round, digits: number) =>
    spread(
      rounds.map((round) => round[what]),
      digits,
    )
  const perSecond = median(rounds.map((round) => round.perSecond))
  const mostMb = Math.max(...rounds.map((round) => round.mostMb))
  return {
    title: `(b) ${orders} open orders, all due: ask the vendor in batches, compare, schedule again`,
    head: ['', 'one process'],
    rows: [
      ['orders/s', of('perSecond', 0)],
      ['orders in each call', of('ordersPerCall', 1)],
      ['share with two new stages', of('changed', 4)],
      ['CPU of the service for each order, µs', of('cpuUs', 0)],
      ['PostgreSQL’s CPU for each order, µs', of('postgresUs', 0)],
      ['most memory, MB', of('mostMb', 0)],
    ],
    aims: [
      { what: 'at least 3,000 orders/s', figure: `${perSecond.toFixed(0)}/s`, met: perSecond >= 3000 },
      { what: 'process memory below 300 MB', figure: `${mostMb.toFixed(0)} MB`, met: mostMb < 300 },
    ],
    notes: [
      'The vendor is a process of its own that answers two stages for each order from memory over HTTP, 100 orders a call. What changed is put into the lane and the outbox as always; no process sends.',
    ],
    gates: [
      {
        what: 'orders in each call to the vendor, of 100',
        ratio: median(rounds.map((round) => round.ordersPerCall)) / 100,
        least: 0.5,
      },
      { what: 'memory of the poller against 300 MB', ratio: mostMb / 300, most: 1.2 },
    ],
  }
}

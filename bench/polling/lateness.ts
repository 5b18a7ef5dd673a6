import { setTimeout as sleep } from 'node:timers/promises'
import { type Child, startChild } from '../support/child.js'
import { median, spread } from '../support/figures.js'
import type { Section } from '../support/report.js'
import { until } from '../support/wait.js'
import { dueWithin } from './rows.js'
import type { Usage } from './service.js'
import type { Settings } from './settings.js'
import type { Asked } from './vendor.js'
import { startPollingService, type World } from './world.js'

interface Late {
  count: number
  p50: number
  p99: number
  most: number
}

interface Round extends Late {
  perSecond: number
  ordersPerCall: number
  cpuUs: number
  mostMb: number
}

/** (c) How late a poll is claimed while half of what (b) reached comes due all the time. */
export async function lateness(world: World, settings: Settings, perSecond: number): Promise<Section> {
  const everyMs = Math.round((settings.orders / (perSecond / 2)) * 1000)
  const vendor = await startChild('polling/vendor')
  await dueWithin(world, everyMs, everyMs)
  await noteLateness(world)
  const rounds: Round[] = []
  for (let round = 0; round < settings.lateRounds; round += 1) {
    rounds.push(await poll(world, vendor, settings.lateMs, everyMs))
  }
  await noteNoMore(world)
  await vendor.stop()
  return section(settings, rounds, everyMs)
}

/** The service starts behind by what came due while there was none: what it does about that is not part of the round. */
async function poll(world: World, vendor: Child, forMs: number, everyMs: number): Promise<Round> {
  const service = await startPollingService(world, await vendor.ask<string>('url'), everyMs)
  await until('what came due before the start is done', () => keepsUp(world), 120_000, 500)
  await world.pool.query('TRUNCATE bench_late')
  const [asked, used] = [{ ...(await vendor.ask<Asked>('asked')) }, await service.ask<Usage>('usage')]
  await sleep(forMs)
  const [after, usage] = [await vendor.ask<Asked>('asked'), await service.ask<Usage>('usage')]
  const late = await noted(world)
  await service.stop()
  const orders = after.orders - asked.orders
  return {
    ...late,
    perSecond: orders / (forMs / 1000),
    ordersPerCall: orders / (after.calls - asked.calls),
    cpuUs: (1000 * (usage.cpuMs - used.cpuMs)) / orders,
    mostMb: usage.mostMb,
  }
}

/** The poller looks once a second: what is due for two was left over. */
async function keepsUp({ pool }: World): Promise<boolean> {
  const text = `SELECT 1 FROM poll_schedule WHERE due_at < now() - interval '2 s' LIMIT 1`
  return (await pool.query(text)).rowCount === 0
}

function section({ orders }: Settings, rounds: readonly Round[], everyMs: number): Section {
  const of = (what: keyof Round) => rounds.map((round) => round[what])
  const late = (what: 'p50' | 'p99' | 'most') => {
    const share = of(what).map((ms) => (100 * ms) / everyMs)
    return `${spread(of(what), 0)} ms, ${spread(share, 2)} % of the interval`
  }
  const p99 = median(of('p99')) / everyMs
  const mostMb = Math.max(...of('mostMb'))
  return {
    title: `(c) ${orders} open orders, one poll each in ${(everyMs / 1000).toFixed(0)} s: half of what (b) reached`,
    head: ['', ''],
    rows: [
      ['orders/s', spread(of('perSecond'), 0)],
      ['late, median', late('p50')],
      ['late, p99', late('p99')],
      ['late, most', late('most')],
      ['orders in each call', spread(of('ordersPerCall'), 1)],
      ['CPU of the service for each order, µs', spread(of('cpuUs'), 0)],
      ['most memory, MB', spread(of('mostMb'), 0)],
    ],
    aims: [
      { what: 'p99 below 10 % of the interval', figure: late('p99'), met: p99 < 0.1 },
      { what: 'process memory below 300 MB', figure: `${mostMb.toFixed(0)} MB`, met: mostMb < 300 },
    ],
    notes: [
      `From the time at which a poll is due to the claim, noted by PostgreSQL for a tenth of the orders, and to the end of the round for those that wait then: ${spread(of('count'), 0)} in each round. The poller looks once a second. Each round starts a service, and begins when that has done what came due while there was none.`,
    ],
  }
}

async function noteLateness({ pool }: World): Promise<void> {
  const statements = [
    'CREATE UNLOGGED TABLE bench_late (ms float8)',
    `CREATE FUNCTION note_late() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
       INSERT INTO bench_late VALUES (extract(epoch FROM now() - OLD.due_at) * 1000); RETURN NULL; END $$`,
    `CREATE TRIGGER note_late AFTER UPDATE ON poll_schedule FOR EACH ROW
       WHEN (NEW.claimed AND NOT OLD.claimed AND NEW.background_check_id LIKE '%7') EXECUTE FUNCTION note_late()`,
  ]
  for (const text of statements) await pool.query(text)
}

async function noteNoMore({ pool }: World): Promise<void> {
  const statements = ['DROP TRIGGER note_late ON poll_schedule', 'DROP FUNCTION note_late', 'DROP TABLE bench_late']
  for (const text of statements) await pool.query(text)
}

async function noted({ pool }: World): Promise<Late> {
  const { rows } = await pool.query<Late>(
    `SELECT count(*)::int AS count, percentile_disc(0.5) WITHIN GROUP (ORDER BY ms) AS p50,
       percentile_disc(0.99) WITHIN GROUP (ORDER BY ms) AS p99, max(ms) AS most
     FROM (SELECT ms FROM bench_late UNION ALL
       SELECT extract(epoch FROM now() - due_at)::float8 * 1000 FROM poll_schedule
       WHERE due_at <= now() AND NOT claimed AND background_check_id LIKE '%7') late`,
  )
  if (rows[0] === undefined || rows[0].count === 0) throw new Error('no poll was claimed')
  return rows[0]
}

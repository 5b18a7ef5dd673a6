import { setTimeout as sleep } from 'node:timers/promises'
import { startChild } from '../support/child.js'
import type { Section } from '../support/report.js'
import { dueWithin } from './rows.js'
import type { Usage } from './service.js'
import type { Settings } from './settings.js'
import type { Asked } from './vendor.js'
import { startPollingService, type World } from './world.js'

const warmUpMs = 5000

/** (c) How late a poll is claimed while half of what (b) reached comes due all the time. */
export async function lateness(world: World, settings: Settings, perSecond: number): Promise<Section> {
  const everyMs = Math.round((settings.orders / (perSecond / 2)) * 1000)
  const vendor = await startChild('polling/vendor')
  await dueWithin(world, everyMs, everyMs)
  const service = await startPollingService(world, await vendor.ask<string>('url'), everyMs)
  await sleep(warmUpMs)
  await noteLateness(world)
  const [asked, used] = [{ ...(await vendor.ask<Asked>('asked')) }, await service.ask<Usage>('usage')]
  await sleep(settings.lateMs)
  const [after, usage] = [await vendor.ask<Asked>('asked'), await service.ask<Usage>('usage')]
  const late = await noted(world)
  await service.stop()
  await vendor.stop()
  const orders = after.orders - asked.orders
  const share = (ms: number) => `${ms.toFixed(0)} ms, ${((100 * ms) / everyMs).toFixed(2)} % of the interval`
  return {
    title: `(c) ${settings.orders} open orders, one poll each in ${(everyMs / 1000).toFixed(0)} s: half of what (b) reached`,
    head: ['', ''],
    rows: [
      ['orders/s', (orders / (settings.lateMs / 1000)).toFixed(0)],
      ['late, median', share(late.p50)],
      ['late, p99', share(late.p99)],
      ['late, most', share(late.most)],
      ['orders in each call', (orders / (after.calls - asked.calls)).toFixed(1)],
      ['CPU of the service for each order, µs', ((1000 * (usage.cpuMs - used.cpuMs)) / orders).toFixed(0)],
      ['most memory, MB', usage.mostMb.toFixed(0)],
    ],
    aims: [
      { what: 'p99 below 10 % of the interval', figure: share(late.p99), met: late.p99 < everyMs / 10 },
      { what: 'process memory below 300 MB', figure: `${usage.mostMb.toFixed(0)} MB`, met: usage.mostMb < 300 },
    ],
    notes: [
      `From the time at which a poll is due to the claim, noted by PostgreSQL for a tenth of the orders: ${late.count} claims. The poller looks once a second.`,
    ],
    gates: [{ what: 'p99 of lateness against the interval', ratio: late.p99 / everyMs, most: 0.1 }],
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

interface Late {
  count: number
  p50: number
  p99: number
  most: number
}

async function noted({ pool }: World): Promise<Late> {
  const { rows } = await pool.query<Late>(
    `SELECT count(*)::int AS count, percentile_disc(0.5) WITHIN GROUP (ORDER BY ms) AS p50,
       percentile_disc(0.99) WITHIN GROUP (ORDER BY ms) AS p99, max(ms) AS most FROM bench_late`,
  )
  for (const text of ['DROP TRIGGER note_late ON poll_schedule', 'DROP FUNCTION note_late', 'DROP TABLE bench_late']) {
    await pool.query(text)
  }
  if (rows[0] === undefined || rows[0].count === 0) throw new Error('no poll was claimed')
  return rows[0]
}

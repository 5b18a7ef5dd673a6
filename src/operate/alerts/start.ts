import type { Parts } from '../../app.js'
import type { Database, Sql } from '../../platform/database/database.js'
import type { Started } from '../../platform/lifetime.js'
import { startLoop } from '../../platform/loop.js'
import { type Bot, type Card, createBot } from './bot.js'
import { digestCard, newsCard } from './cards.js'
import { digestDay, isDigestDue, markDigest, readFigures } from './digest.js'
import { compare, findStanding, markTold } from './standing.js'

/**
 * Tells a group of Feishu what stands still, once a minute at most and in one message: what is new, what still stands
 * after hours, what is over; and each morning how the day before was. It runs in the role `sync`, in one process at a
 * time. Who is told is asked again and again until the bot has taken it; a crash between may repeat a message.
 */
export interface AlertTerms {
  everyMs: number
  now: () => Date
}

const usualTerms: AlertTerms = { everyMs: 60_000, now: () => new Date() }

/** Any number that nothing else takes: who holds this lock of PostgreSQL's tells. */
const lockId = 7_211_046

export function startAlerts(
  parts: Pick<Parts, 'config' | 'database' | 'log' | 'metrics'>,
  override: Partial<AlertTerms> = {},
): Started | undefined {
  const { config, database, log, metrics } = parts
  if (config.alerts === undefined) return undefined
  const terms = { ...usualTerms, ...override }
  const bot = createBot(config.alerts, config.proxy)
  const loop = startLoop({
    name: 'alerts',
    everyMs: terms.everyMs,
    log,
    onFailure: (name) => metrics.failures.inc({ loop: name }),
    turn: async () => {
      try {
        // Apart, so that a digest that fails does not have the news said twice.
        await inTurn(database, (sql) => tellNews(sql, bot))
        await inTurn(database, (sql) => tellDigest(sql, bot, digestDay(terms.now(), config.timeZone)))
      } catch (failure) {
        if (!(failure instanceof NotTold)) throw failure
        // No haste: a bot that is asked more often than Feishu allows takes nothing at all.
        metrics.failures.inc({ loop: 'alerts' })
        log.warn({ event: 'alerts.not_told', reason: failure.message }, 'the group was not told')
      }
      return terms.everyMs
    },
  })
  return {
    stop: async () => {
      await loop.stop()
      bot.stop()
    },
  }
}

function inTurn(database: Pick<Database, 'transaction'>, work: (sql: Sql) => Promise<void>): Promise<void> {
  return database.transaction(async (sql) => {
    const { rows } = await sql.query<{ mine: boolean }>('SELECT pg_try_advisory_xact_lock($1) AS mine', [lockId])
    if (rows[0]?.mine === true) await work(sql)
  })
}

async function tellNews(sql: Sql, bot: Bot): Promise<void> {
  const news = await compare(sql, await findStanding(sql))
  const card = newsCard(news)
  if (card === null) return
  await post(bot, card)
  await markTold(sql, news)
}

async function tellDigest(sql: Sql, bot: Bot, day: string | null): Promise<void> {
  if (day === null || !(await isDigestDue(sql, day))) return
  await post(bot, digestCard(day, await readFigures(sql)))
  await markDigest(sql, day)
}

/** The bot's own reason. */
class NotTold extends Error {}

/** Throws where the bot did not take it: nothing of the turn is written down then, and the next one says it all again. */
async function post(bot: Bot, card: Card): Promise<void> {
  const posted = await bot.post(card)
  if (posted.kind === 'failed') throw new NotTold(posted.reason)
}

import { Redis } from 'ioredis'
import pg from 'pg'
import { startApp } from '../../src/app.js'
import { readConfig } from '../../src/config.js'
import { createLogger } from '../../src/platform/logger.js'
import { answerQuestions } from '../support/answer.js'

/* The service as it is, with a tally of what it asks PostgreSQL and Redis. */

export interface Usage {
  cpuMs: number
  /** SQL statements, BEGIN and COMMIT among them. */
  statements: number
  /** Commands sent to Redis for slots, each a round trip, and turns of the event loop in which any was sent. */
  slotCommands: number
  slotTurns: number
  /** Commands of the queue that carries hints, blocking ones among them. */
  hintCommands: number
  rssMb: number
}

const usage = { statements: 0, slotCommands: 0, slotTurns: 0, hintCommands: 0 }

const query = Reflect.get(pg.Client.prototype, 'query') as (...args: unknown[]) => unknown
pg.Client.prototype.query = function counted(this: pg.Client, ...args: unknown[]) {
  usage.statements += 1
  return Reflect.apply(query, this, args)
} as typeof pg.Client.prototype.query

let thisTurn = false
const sendCommand = Reflect.get(Redis.prototype, 'sendCommand')
Redis.prototype.sendCommand = function counted(...args) {
  const [{ args: words }] = args
  if (!String(words[2]).includes(':limiter:')) usage.hintCommands += 1
  else {
    usage.slotCommands += 1
    if (!thisTurn) {
      usage.slotTurns += 1
      thisTurn = true
      setImmediate(() => {
        thisTurn = false
      })
    }
  }
  return Reflect.apply(sendCommand, this, args)
}

const config = readConfig(process.env, () => process.env.BENCH_APPS ?? '')
const app = await startApp(config, createLogger(config.logLevel))
answerQuestions(
  {
    usage: (): Usage => {
      const { user, system } = process.cpuUsage()
      return { ...usage, cpuMs: (user + system) / 1000, rssMb: process.memoryUsage().rss / 1024 ** 2 }
    },
  },
  () => app.stop(),
)

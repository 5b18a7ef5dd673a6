import pg from 'pg'
import { startApp } from '../../src/app.js'
import { readConfig } from '../../src/config.js'
import { createLogger } from '../../src/platform/logger.js'
import { answerQuestions } from '../support/answer.js'

/* The service as it is, with a tally of its statements. */

let statements = 0
const query = Reflect.get(pg.Client.prototype, 'query') as (...args: unknown[]) => unknown
pg.Client.prototype.query = function counted(this: pg.Client, ...args: unknown[]) {
  statements += 1
  return Reflect.apply(query, this, args)
} as typeof pg.Client.prototype.query

const config = readConfig(process.env)
const app = await startApp(config, createLogger('error'))
answerQuestions({ port: () => app.port, statements: () => statements }, () => app.stop())

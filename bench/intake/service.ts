import pg from 'pg'
import { startApp } from '../../src/app.js'
import { readConfig } from '../../src/config.js'
import { createLogger } from '../../src/platform/logger.js'
import { answerQuestions } from '../support/answer.js'

/* The service as it is, with a tally of its commits. */

export interface Commit {
  events: number
  ms: number
}

let commits: Commit[] = []

const query = Reflect.get(pg.Pool.prototype, 'query') as (...args: unknown[]) => Promise<unknown>
pg.Pool.prototype.query = async function counted(this: pg.Pool, ...args: unknown[]) {
  const [asked] = args as [{ name?: string; values?: readonly unknown[][] }]
  if (asked.name !== 'accept-events') return Reflect.apply(query, this, args)
  const startedAt = performance.now()
  const result = await Reflect.apply(query, this, args)
  commits.push({ events: asked.values?.[0]?.length ?? 0, ms: performance.now() - startedAt })
  return result
} as typeof pg.Pool.prototype.query

const config = readConfig(process.env)
const app = await startApp(config, createLogger(config.logLevel))
answerQuestions(
  {
    port: () => app.port,
    cpuMs: () => {
      const { user, system } = process.cpuUsage()
      return (user + system) / 1000
    },
    commits: () => {
      const last = commits
      commits = []
      return last
    },
  },
  () => app.stop(),
)

import { startApp } from '../../src/app.js'
import { readConfig } from '../../src/config.js'
import { createLogger } from '../../src/platform/logger.js'
import { answerQuestions } from '../support/answer.js'

/* The service as it is, with an eye on its memory. */

export interface Usage {
  cpuMs: number
  mostMb: number
}

let mostMb = 0
setInterval(() => {
  mostMb = Math.max(mostMb, process.memoryUsage.rss() / 1024 ** 2)
}, 100).unref()

const config = readConfig(process.env)
const app = await startApp(config, createLogger(config.logLevel))
answerQuestions(
  {
    usage: (): Usage => {
      const { user, system } = process.cpuUsage()
      return { cpuMs: (user + system) / 1000, mostMb }
    },
  },
  () => app.stop(),
)

import { startApp } from '../../src/app.js'
import { readConfig } from '../../src/config.js'
import { createLogger } from '../../src/platform/logger.js'
import { answerQuestions } from '../support/answer.js'

/* The service as it is; what it uses is read from outside. */

const config = readConfig(process.env)
const app = await startApp(config, createLogger(config.logLevel))
answerQuestions({ port: () => app.port }, () => app.stop())

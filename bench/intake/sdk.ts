import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { adaptExpress, EventDispatcher, LoggerLevel } from '@larksuiteoapi/node-sdk'
import express from 'express'
import { answerQuestions } from '../support/answer.js'
import { app, eventType, path } from './settings.js'

/* The door of the official SDK, as fast as it goes: nothing is parsed twice, nothing logged, nothing kept. */

const { encryptKey, verificationToken } = app
const dispatcher = new EventDispatcher({ encryptKey, verificationToken, loggerLevel: LoggerLevel.error })
let handled = 0
dispatcher.register({
  [eventType]: () => {
    handled += 1
    return {}
  },
})

const server = createServer(express().post(path, adaptExpress(dispatcher)))
server.listen(0, '127.0.0.1', () =>
  answerQuestions(
    {
      port: () => (server.address() as AddressInfo).port,
      handled: () => handled,
      cpuMs: () => {
        const { user, system } = process.cpuUsage()
        return (user + system) / 1000
      },
    },
    async () => {
      server.close()
      server.closeAllConnections()
    },
  ),
)

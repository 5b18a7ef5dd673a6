import { join } from 'node:path'
import { type Child, startChild } from '../support/child.js'
import { appEnv, nodeArgs, serviceEnv } from '../support/service-env.js'
import { emptyRedis, type Stores } from '../support/stores.js'
import { type Ground, layGround } from './database.js'
import type { Pushed } from './load.js'
import { app, type Settings } from './settings.js'

/** A door that is pushed at. */
export interface Door {
  child: Child
  port: number
}

export interface World {
  ground: Ground
  sdk: Door
  service: Door
  /** As many new events are made as are asked for; each is pushed at both doors. */
  makePushes(count: number): Promise<number>
  saturate(door: Door): Promise<Pushed>
  steady(door: Door): Promise<Pushed>
  stop(): Promise<void>
}

export async function startWorld(stores: Stores, { connections, steadyPerSecond }: Settings): Promise<World> {
  const ground = await layGround(stores.databaseUrl)
  await emptyRedis(stores.redisUrl)
  const env = { ...receiverEnv, DATABASE_URL: ground.url, REDIS_URL: stores.redisUrl }
  const logFile = join(stores.folder, 'intake.log')
  const [sdk, service, load] = await Promise.all([
    startChild('intake/sdk'),
    startChild('intake/service', { env, logFile, nodeArgs: nodeArgs() }),
    startChild('intake/load'),
  ])
  return {
    ground,
    sdk: await doorOf(sdk),
    service: await doorOf(service),
    makePushes: (count) => load.ask<number>('make', count),
    saturate: ({ port }) => load.ask<Pushed>('saturate', { port, connections }),
    steady: ({ port }) => load.ask<Pushed>('steady', { port, connections, perSecond: steadyPerSecond }),
    stop: async () => {
      await Promise.all([sdk, service, load].map((child) => child.stop()))
      await ground.stop()
    },
  }
}

async function doorOf(child: Child): Promise<Door> {
  return { child, port: await child.ask<number>('port') }
}

/** As in production: sealed, with the queue's Redis, logged at `info`. */
const receiverEnv = {
  ...serviceEnv,
  ...appEnv(app),
  BGC_ROLES: 'receiver',
  LOG_LEVEL: 'info',
  VENDOR_BASE_URL: 'http://127.0.0.1:9',
  VENDOR_API_KEY: 'none',
}

import { afterEach, expect, inject, test } from 'vitest'
import { openDatabase } from '../../src/platform/database/database.js'
import { createLogger } from '../../src/platform/logger.js'
import { connectRedis } from '../../src/platform/queue/redis.js'
import { startLink } from '../faults/kit/link.js'
import { eventually } from '../support/eventually.js'
import { startRedis } from '../support/redis.js'

const cleanups: Array<() => Promise<unknown>> = []

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup()
})

async function linkTo(port: number) {
  const link = await startLink('half-open', [port])
  cleanups.push(() => link.stop())
  return link
}

const log = createLogger('silent')

test('a connection to PostgreSQL that swallows everything is given up, and the next question is answered', async () => {
  const url = new URL(inject('databaseUrl'))
  const link = await linkTo(Number(url.port))
  url.port = String(link.port)
  const database = openDatabase({ url: url.href, log, connections: 1, answerWithinMs: 2000 })
  cleanups.push(() => database.stop())
  await database.pool.query('SELECT 1')
  link.set('silent')
  const asked = database.pool.query('SELECT 2')
  link.set('open')
  await expect(asked).rejects.toThrow('timeout')
  expect((await database.pool.query<{ three: number }>('SELECT 3 AS three')).rows).toEqual([{ three: 3 }])
})

test('a connection to Redis that swallows everything is replaced', async () => {
  const server = await startRedis()
  cleanups.push(() => server.stop())
  const link = await linkTo(server.port)
  const redis = connectRedis({ kind: 'single', url: `redis://127.0.0.1:${link.port}` }, log, 'commands')
  cleanups.push(async () => redis.disconnect())
  await eventually(() => redis.status).toBe('ready')
  link.set('silent')
  const asked = redis.ping()
  link.set('open')
  await expect(asked).rejects.toThrow()
  await eventually(() => redis.ping().catch(() => 'nothing')).toBe('PONG')
})

import { readdir } from 'node:fs/promises'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createHealth } from '../../src/operate/health.js'
import { Presence } from '../../src/operate/presence.js'
import { MIGRATIONS } from '../../src/platform/database/migrate.js'
import { type Ground, layGround } from '../support/room.js'

let ground: Ground

beforeEach(async () => {
  ground = await layGround()
})
afterEach(() => ground.stop())

test('nobody keeps the database busy by asking whether the process is ready', async () => {
  expect(await readdir(MIGRATIONS)).not.toEqual([])
  let asked = 0
  const pool = new Proxy(ground.database.pool, {
    get: (target, name) => {
      if (name === 'query') asked += 1
      const value: unknown = Reflect.get(target, name)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
  const presence = new Presence()
  presence.arrive()
  const ready = createHealth({ database: { pool }, needsRedis: false, presence })
  const answers = await Promise.all(Array.from({ length: 500 }, ready))
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set(['ok']))
  const once = asked
  expect(once).toBeLessThan(5)
  // Not for ever: who asks later is told what is true then.
  await ready()
  expect(asked).toBe(2 * once)
  const under = ready()
  presence.leave(0)
  expect((await ready()).status).toBe('unavailable')
  expect((await under).status).toBe('ok')
})

test('Redis is asked while the database says nothing: both together may take as long as one', async () => {
  let asked = 0
  const redis = {
    info: () => {
      asked += 1
      return Promise.resolve('role:master\r\n')
    },
  } as never
  let speak: () => void = () => undefined
  const silence = new Promise<void>((resolve) => {
    speak = resolve
  })
  const pool = { query: () => silence.then(() => Promise.reject(new Error('gone'))) } as never
  const presence = new Presence()
  presence.arrive()
  const answer = createHealth({ database: { pool }, redis, needsRedis: true, presence })()
  expect(asked).toBe(1)
  speak()
  expect(await answer).toEqual({ status: 'unavailable', checks: { database: 'does not answer', redis: 'ok' } })
})

import { afterEach, beforeEach, onTestFinished, test } from 'vitest'
import type { Database } from '../../src/platform/database/database.js'
import { memoryLimiter } from '../../src/platform/limiter/memory.js'
import { eventually } from '../support/eventually.js'
import { accepted, gated, putProgress, startSending } from '../support/pumps-room.js'
import { count, type Ground, layGround } from '../support/room.js'

/* Leases of methods, whose answers come late from PostgreSQL. */

let ground: Ground

beforeEach(async () => {
  ground = await layGround()
})
afterEach(() => ground.stop())

const windows = [{ limit: 50, windowMs: 1000 }]
const delivered = `deliveries WHERE state = 'delivered'`
const startAlone = (database: Database, answer = async () => accepted) =>
  startSending({ ground, database, limiter: memoryLimiter(), windows, alone: true, answer })

test('a pump that starts while leases are renewed goes on', async () => {
  const { gate, database } = gated(ground.database, ({ text }) => /SET lease_until = .* = ANY/s.test(text), 'answers')
  let answerFirst: () => void = () => undefined
  const first = new Promise<void>((resolve) => {
    answerFirst = resolve
  })
  onTestFinished(() => answerFirst())
  gate.isClosed = true
  let asked = 0
  const { pumps, made } = startAlone(database, async () => {
    asked += 1
    if (asked === 1) await first
    return accepted
  })
  await eventually(() => gate.waiting).toBe(1)
  const bucket = await putProgress(ground, 1)
  pumps.wakeBucket(bucket)
  await eventually(() => made.calls).toBe(1)
  gate.open()
  await putProgress(ground, 1)
  await eventually(() => {
    pumps.wakeBucket(bucket)
    return made.calls
  }).toBe(2)
  answerFirst()
  await eventually(() => count(ground.database, delivered)).toBe(2)
})

test('a lease that comes back before its release is heard of is released once more, and its method is sent from', async () => {
  const { gate, database } = gated(ground.database, ({ name }) => name === 'release-bucket', 'answers')
  const { pumps } = startAlone(database)
  gate.isClosed = true
  pumps.wakeBucket(await putProgress(ground, 1))
  await eventually(() => gate.waiting).toBe(1)
  gate.isClosed = false
  await putProgress(ground, 1)
  await eventually(() => {
    pumps.wake()
    return count(ground.database, 'buckets WHERE lease_owner IS NOT NULL')
  }).toBe(1)
  gate.open()
  await eventually(() => count(ground.database, delivered)).toBe(2)
})

import { onTestFinished } from 'vitest'
import { startPumps } from '../../src/flow/to-feishu/pumps.js'
import type { FeishuReply } from '../../src/flow/to-feishu/reply.js'
import { createSlotSource } from '../../src/flow/to-feishu/slots.js'
import type { Database } from '../../src/platform/database/database.js'
import type { Limiter, RateWindow } from '../../src/platform/limiter/limiter.js'
import { lanesOn, origin } from './lane-room.js'
import { type Ground, one } from './room.js'
import { saying, stage } from './vendor-words.js'

export const accepted: FeishuReply = { kind: 'answer', httpStatus: 200, code: 0 }

interface Sender {
  ground: Ground
  database: Database
  limiter: Limiter
  windows: readonly RateWindow[]
  /** No other process sends. */
  alone: boolean
  /** What Feishu says; it accepts at once when this is left out. */
  answer?: () => Promise<FeishuReply>
}

/** One process that sends, and how many calls it made. */
export function startSending({ ground, database, limiter, windows, alone, answer = async () => accepted }: Sender) {
  const { sealer, log } = ground
  const timeoutMs = 1000
  const windowsOf = () => windows
  const made = { calls: 0 }
  const call = async () => {
    made.calls += 1
    return answer()
  }
  const pumps = startPumps({
    database,
    sealer,
    log,
    limiter,
    alone,
    keepers: [],
    windowsOf,
    slots: createSlotSource({ database, limiter, windowsOf, timeoutMs }),
    timeoutMs,
    clientOf: () => ({ call, stop: async () => undefined }),
    // Of the tokens a pump uses only this, and nothing is read.
    tokens: { tenantToken: async () => ({ kind: 'token', token: 't' }) } as never,
    reads: undefined as never,
    lookUps: { mayLook: () => false, look: async () => 'absent' },
    lookAfterMs: [],
    retry: { baseMs: 1, maxMs: 1, maxAgeMs: 1_000_000 },
    onReady: () => undefined,
    random: () => 0.5,
  })
  onTestFinished(() => pumps.stop())
  return { pumps, made }
}

/** A stage of each of so many checks; answers the bucket that they go through. */
export async function putProgress(ground: Ground, checks: number): Promise<number> {
  const lanes = lanesOn(ground)
  for (let each = 0; each < checks; each += 1) {
    await lanes.record(await lanes.place(), saying('in_progress', [stage('a')]))
  }
  const text = `SELECT id FROM buckets WHERE app_id = $1 AND tenant_key = $2 AND api = 'update_progress'`
  return (await one<{ id: number }>(ground.database, text, [origin.appId, origin.tenantKey])).id
}

interface Statement {
  name?: string
  text: string
}

/** A database with statements that wait before they are made, or whose answers do, while `gate.isClosed`. */
export function gated(database: Database, isMeant: (statement: Statement) => boolean, what: 'statements' | 'answers') {
  let open: () => void = () => undefined
  const opened = new Promise<void>((resolve) => {
    open = resolve
  })
  const gate = { isClosed: false, waiting: 0, open: () => open() }
  const wait = async () => {
    gate.waiting += 1
    await opened
  }
  const pool = new Proxy(database.pool, {
    get: (target, property) => {
      const value: unknown = Reflect.get(target, property)
      if (typeof value !== 'function') return value
      const method = value.bind(target) as (...args: unknown[]) => unknown
      if (property !== 'query') return method
      return async (...args: [string | Statement, ...unknown[]]) => {
        const waits = gate.isClosed && isMeant(typeof args[0] === 'string' ? { text: args[0] } : args[0])
        if (waits && what === 'statements') await wait()
        const answer = await method(...args)
        if (waits && what === 'answers') await wait()
        return answer
      }
    },
  })
  return { gate, database: { ...database, pool } }
}

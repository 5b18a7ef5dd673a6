import { setTimeout as sleep } from 'node:timers/promises'
import type { Redis } from 'ioredis'
import type pg from 'pg'
import { type App, startApp } from '../../../src/app.js'
import { readConfig } from '../../../src/config.js'
import { giveBack, rebuild, take } from '../../../src/platform/limiter/redis-scripts.js'
import { createLogger } from '../../../src/platform/logger.js'
import { type Link, startLink } from './link.js'
import type { Scripts, Step } from './steps.js'

export type Role = 'receiver' | 'poller' | 'sync'
type Way = Step['way']

/** One process of the service inside of the test. It dies with its ways: nothing of it goes in or out any more. */
export interface MortalApp {
  role: Role
  ways: Record<Way, Link>
  app: App
  die(): void
  /** Settles when it has noticed its end everywhere. */
  buried(): Promise<void>
}

/** `ports` and `env` name the real ones; the process sees its own ways only. */
export async function startMortalApp(
  role: Role,
  ports: Record<Exclude<Way, 'webhook'>, number>,
  envOf: (ways: Record<Exclude<Way, 'webhook'>, Link>) => Record<string, string>,
  appsFile: string,
): Promise<MortalApp> {
  const open = (name: Exclude<Way, 'webhook'>) => startLink(`${role}–${name}`, [ports[name]])
  const [postgres, redis, feishu, vendor] = await Promise.all([
    open('postgres'),
    open('redis'),
    open('feishu'),
    open('vendor'),
  ])
  const config = readConfig({ ...envOf({ postgres, redis, feishu, vendor }), BGC_ROLES: role }, () => appsFile)
  const app = await startApp(config, createLogger('silent'), { lookAfterMs: [20, 60, 150] })
  const ways = { postgres, redis, feishu, vendor, webhook: await startLink(`feishu–${role}`, [app.port]) }
  let stopped: Promise<unknown> = Promise.resolve()
  return {
    role,
    ways,
    app,
    die: () => {
      for (const way of Object.values(ways)) way.set('broken')
      // Without its ways a stop fails here and there, and nothing of it is seen outside.
      stopped = app.stop().catch(() => undefined)
    },
    buried: async () => {
      await stopped
      await Promise.all(Object.values(ways).map((way) => way.stop()))
    },
  }
}

const claimsOf: Record<Role, string[]> = {
  receiver: [],
  poller: [
    'UPDATE events SET due_at = now() WHERE due_at IS NOT NULL',
    'UPDATE vendor_tasks SET due_at = now()',
    'UPDATE poll_schedule SET due_at = now()',
    'UPDATE vendor_feeds SET lease_until = NULL',
  ],
  sync: [
    `UPDATE deliveries SET due_at = now() WHERE state = 'sending' AND due_at IS NOT NULL`,
    'UPDATE buckets SET lease_until = now() WHERE lease_until IS NOT NULL',
    'UPDATE feishu_tokens SET refreshing_until = NULL',
  ],
}

/** What the clock would do within seconds: the claims of the dead run out. There was one process of its role. */
export async function takeWhatTheDeadHeld(pool: pg.Pool, role: Role): Promise<void> {
  // Statements that were under way come to their end.
  await sleep(50)
  for (const sql of claimsOf[role]) await pool.query(sql)
}

export async function limiterScripts(): Promise<Scripts> {
  const shaOf = async (run: typeof take) => {
    let seen = ''
    // Only the one command is ever called.
    const evalsha = async (sha: string) => {
      seen = sha
    }
    const redis = { evalsha } as unknown as Redis
    await run(redis, [], [])
    return seen
  }
  return { take: await shaOf(take), rebuild: await shaOf(rebuild), giveBack: await shaOf(giveBack) }
}

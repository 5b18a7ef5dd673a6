import { setTimeout as sleep } from 'node:timers/promises'
import type pg from 'pg'
import { type Link, startLink } from './link.js'
import type { Role, Step } from './steps.js'

type Way = Step['way']
/** The ways out of it. */
export type Outward = Record<Exclude<Way, 'webhook'>, Link>
type Ways = Record<Way, Link>

/** `SIGKILL` for a process of its own. */
type End = NodeJS.Signals | 'lost all its ways' | 'ended by itself'

/** One process of the service with ways of its own, which dies when it is told to. */
export interface Mortal {
  role: Role
  isProcess: boolean
  ways: Ways
  /** At once: nothing goes in or out any more when this returns. */
  die(): void
  /** How it ended, when it has died and is gone. */
  end(): Promise<End>
  /** Settles when nothing is left of it. */
  buried(): Promise<void>
  stop(): Promise<void>
}

/** `ports` name the real ones; the process sees its own ways only. */
export async function openWays(role: Role, ports: Record<Exclude<Way, 'webhook'>, number>): Promise<Outward> {
  const open = (name: Exclude<Way, 'webhook'>) => startLink(`${role}–${name}`, [ports[name]])
  const [postgres, redis, feishu, vendor] = await Promise.all([
    open('postgres'),
    open('redis'),
    open('feishu'),
    open('vendor'),
  ])
  return { postgres, redis, feishu, vendor }
}

/** Also what waits in the kernel's buffers goes nowhere. */
export function breakAll(ways: Ways): void {
  for (const way of Object.values(ways)) way.set('broken')
}

export async function closeAll(ways: Ways): Promise<void> {
  await Promise.all(Object.values(ways).map((way) => way.stop()))
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

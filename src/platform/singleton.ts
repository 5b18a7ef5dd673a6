import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type pg from 'pg'
import { isAlive } from './embedded/process.js'
import type { Logger } from './logger.js'

/**
 * One process only, for the queue that runs on PostgreSQL. The holder beats in a row of `process_leases`; a row that did
 * not beat for long enough, by the database's clock, is free. So a dead host blocks nobody for hours, as a lock might.
 *
 * Throws when another process is alive. Calls `onLost` once when the row went to another process, which happens only to
 * a process that was suspended for longer than the row stays valid: it must end its work at once.
 */
export type Singleton = { stop(): Promise<void> }

export type SingletonOptions = {
  name: string
  host: string
  pid: number
  log: Logger
  onLost: () => void
  beatMs?: number
  staleMs?: number
}

type Claim = Required<SingletonOptions> & { owner: string }
type Holder = { owner: string; host: string; pid: number; since: Date; beat: string; age_ms: number }

/** Owners in this very process: the same host and pid, and yet alive. */
const here = new Set<string>()

export async function holdSingleton(pool: pg.Pool, options: SingletonOptions): Promise<Singleton> {
  const claim: Claim = { beatMs: 3_000, staleMs: 15_000, ...options, owner: randomUUID() }
  await acquire(pool, claim)
  here.add(claim.owner)
  return keep(pool, claim)
}

async function acquire(pool: pg.Pool, claim: Claim): Promise<void> {
  for (let first: Holder | undefined; ; await sleep(claim.beatMs / 10)) {
    if (await takeFree(pool, claim)) return
    const holder = await readHolder(pool, claim.name)
    if (!holder) continue
    if (await isDead(holder, claim)) {
      if (await takeFrom(pool, claim, holder)) return
      continue
    }
    first ??= holder
    if (holder.owner !== first.owner || holder.beat !== first.beat) throw new Error(refusal(claim.name, holder))
  }
}

/** A process of this host that is gone, or that had our own pid before a restart, as pid 1 of a container has. */
async function isDead(holder: Holder, claim: Claim): Promise<boolean> {
  if (holder.host !== claim.host || here.has(holder.owner)) return false
  return holder.pid === claim.pid || !(await isAlive(holder.pid))
}

async function takeFree(pool: pg.Pool, { name, owner, host, pid, staleMs }: Claim): Promise<boolean> {
  const { rowCount } = await pool.query(
    `INSERT INTO process_leases AS held (name, owner, host, pid, started_at, beat_at)
     VALUES ($1, $2, $3, $4, clock_timestamp(), clock_timestamp())
     ON CONFLICT (name) DO UPDATE SET owner = excluded.owner, host = excluded.host, pid = excluded.pid,
       started_at = excluded.started_at, beat_at = excluded.beat_at
     WHERE held.beat_at < clock_timestamp() - $5 * interval '1 millisecond'`,
    [name, owner, host, pid, staleMs],
  )
  return rowCount === 1
}

async function takeFrom(pool: pg.Pool, { name, owner, host, pid }: Claim, dead: Holder): Promise<boolean> {
  const { rowCount } = await pool.query(
    `UPDATE process_leases
     SET owner = $2, host = $3, pid = $4, started_at = clock_timestamp(), beat_at = clock_timestamp()
     WHERE name = $1 AND owner = $5`,
    [name, owner, host, pid, dead.owner],
  )
  return rowCount === 1
}

async function readHolder(pool: pg.Pool, name: string): Promise<Holder | undefined> {
  const { rows } = await pool.query<Holder>(
    `SELECT owner, host, pid, started_at AS since, beat_at::text AS beat,
       (extract(epoch FROM clock_timestamp() - beat_at) * 1000)::int AS age_ms
     FROM process_leases WHERE name = $1`,
    [name],
  )
  return rows[0]
}

function keep(pool: pg.Pool, claim: Claim): Singleton {
  const ended = new AbortController()
  const beating = beat(pool, claim, ended.signal)
  let stopped: Promise<void> | undefined
  const stop = async () => {
    ended.abort()
    await beating
    here.delete(claim.owner)
    await pool.query('DELETE FROM process_leases WHERE name = $1 AND owner = $2', [claim.name, claim.owner])
  }
  return { stop: () => (stopped ??= stop()) }
}

async function beat(pool: pg.Pool, { name, owner, beatMs, log, onLost }: Claim, ended: AbortSignal): Promise<void> {
  let failed = false
  while (await pause(beatMs, ended)) {
    try {
      const values = [name, owner]
      const sql = 'UPDATE process_leases SET beat_at = clock_timestamp() WHERE name = $1 AND owner = $2'
      if ((await pool.query(sql, values)).rowCount === 1 || ended.aborted) {
        failed = false
        continue
      }
    } catch (failure) {
      // Without an answer nothing is known: the row may still be ours, and the next beat finds out. Said once for as long as
      // it lasts, so that a loss that follows can be explained.
      if (!failed) log.warn({ event: 'singleton.beat_failed', lease: name, err: failure }, 'a heartbeat failed')
      failed = true
      continue
    }
    here.delete(owner)
    onLost()
    return
  }
}

async function pause(ms: number, ended: AbortSignal): Promise<boolean> {
  try {
    await sleep(ms, undefined, { signal: ended, ref: false })
  } catch {
    // The pause was ended by a stop.
  }
  return !ended.aborted
}

const refusal = (name: string, { host, pid, since, age_ms }: Holder) =>
  `Another process is running "${name}": process ${pid} on ${host}, since ${since.toISOString()}, alive ${age_ms} ms ago. ` +
  'Without Redis the queue is for one process only: stop that one first, or set REDIS_URL for several processes.'

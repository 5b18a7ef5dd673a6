import { randomUUID } from 'node:crypto'
import { link, readFile, readlink, rename, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { basename, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import { isErrno, processStart } from './process.js'

/**
 * One process for each data folder. Taken atomically, refused while the holder lives, taken over at once when it died.
 *
 * `lock` names its holder. Who finds a dead holder claims its succession by hard-linking `lock.<id of the dead holder>`,
 * which only one process can. The end of that chain holds the lock, and then becomes `lock` itself. Removing a dead lock
 * and making a new one could not do this: a slow process would remove the lock of the one that was faster.
 */
export type Lock = { release(): Promise<void> }

/** The lock's holder lives. */
export class FolderInUse extends Error {
  override readonly name = 'FolderInUse'
}

const Holder = z.object({ id: z.string(), pid: z.number(), start: z.string(), space: z.string(), since: z.string() })
type Holder = z.infer<typeof Holder>
type Clock = { beatMs: number; deadAfterMs: number }

const CLOCK: Clock = { beatMs: 1_000, deadAfterMs: 5_000 }

export async function takeLock(folder: string, clock: Clock = CLOCK): Promise<Lock> {
  const me = await describe()
  const own = join(folder, `lock.new-${me.id}`)
  await writeFile(own, JSON.stringify(me), { mode: 0o600 })
  try {
    while (!(await claim(folder, own, me, clock)));
  } finally {
    await rm(own, { force: true })
  }
  return hold(join(folder, 'lock'), clock)
}

async function describe(): Promise<Holder> {
  const start = (await processStart(process.pid)) ?? 'unknown'
  return { id: randomUUID(), pid: process.pid, start, space: await pidSpace(), since: new Date().toISOString() }
}

async function claim(folder: string, own: string, me: Holder, clock: Clock): Promise<boolean> {
  const last = (await readChain(folder)).at(-1)
  if (last && (await lives(folder, last, me, clock))) throw new FolderInUse(inUse(folder, last))
  const place = join(folder, last ? `lock.${last.id}` : 'lock')
  if (!(await linked(own, place))) return false
  const chain = await readChain(folder)
  if (chain.at(-1)?.id !== me.id) {
    // A faster process shortened the chain after we read it: what we linked to is out of reach and holds nothing.
    await rm(place, { force: true })
    return false
  }
  await rename(own, join(folder, 'lock'))
  for (const before of chain.slice(0, -1)) await rm(join(folder, `lock.${before.id}`), { force: true })
  return true
}

async function readChain(folder: string): Promise<Holder[]> {
  const chain: Holder[] = []
  for (let next = await readHolder(join(folder, 'lock')); next; ) {
    chain.push(next)
    next = await readHolder(join(folder, `lock.${next.id}`))
  }
  return chain
}

async function readHolder(file: string): Promise<Holder | null> {
  let text: string
  try {
    text = await readFile(file, 'utf8')
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return null
    throw error
  }
  // Files are complete before they get their name; only a power cut leaves an empty one, and then its writer is dead.
  if (text === '')
    return { id: `empty${basename(file).slice(4)}`, pid: 0, start: '', space: await pidSpace(), since: '' }
  return Holder.parse(JSON.parse(text))
}

async function lives(folder: string, holder: Holder, me: Holder, clock: Clock): Promise<boolean> {
  if (holder.space === me.space) return holder.pid > 0 && (await processStart(holder.pid)) === holder.start
  // Another container or machine: its pids mean nothing here, so see whether its lock goes on beating.
  const file = join(folder, 'lock')
  const before = await beatOf(file)
  for (const deadline = Date.now() + clock.deadAfterMs; Date.now() < deadline; ) {
    await sleep(Math.min(100, clock.beatMs))
    if ((await beatOf(file)) !== before) return true
  }
  return false
}

async function beatOf(file: string): Promise<number | null> {
  try {
    return (await stat(file)).mtimeMs
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return null
    throw error
  }
}

function hold(file: string, { beatMs }: Clock): Lock {
  const beat = setInterval(() => {
    const now = new Date()
    // A beat that fails harms nobody but ourselves: unseen for long enough, another container takes the folder.
    utimes(file, now, now).catch(() => undefined)
  }, beatMs).unref()
  let released: Promise<void> | undefined
  return {
    release() {
      clearInterval(beat)
      released ??= rm(file, { force: true })
      return released
    },
  }
}

async function linked(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to)
    return true
  } catch (error) {
    if (isErrno(error, 'EEXIST')) return false
    throw error
  }
}

async function pidSpace(): Promise<string> {
  if (process.platform !== 'linux') return hostname()
  return `${hostname()} ${await readlink('/proc/self/ns/pid')}`
}

const inUse = (folder: string, { pid, since, space }: Holder) =>
  `The data folder ${folder} is in use by process ${pid} (on ${space.split(' ')[0]}, since ${since}). ` +
  'Stop that one first, give this one another BGC_DATA_DIR, or let both use one server by setting DATABASE_URL and REDIS_URL.'

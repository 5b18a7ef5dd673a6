import { type ChildProcess, execFileSync, type SpawnOptions, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { afterAll, onTestFinished } from 'vitest'
import { startEmbeddedPostgres } from '../../src/platform/embedded/postgres.js'
import { processStart, signal } from '../../src/platform/embedded/process.js'
import { program } from '../support/programs.js'

type Said = { event: string; url?: string; pid?: number; port?: number; error?: string }

/** A service in a process of its own; `next` waits for what it says. */
export type Service = {
  pid: number
  said: Said[]
  next: (event: string) => Promise<Said>
  exit: Promise<number | null>
}

const SCRIPT = program('test/platform/embedded-service.ts')

export function startService(dataDir: string, options: SpawnOptions = {}): Service {
  const child = spawn(process.execPath, [SCRIPT, dataDir], {
    stdio: ['ignore', 'pipe', 'inherit'],
    ...options,
  })
  const exit = once(child, 'exit').then(([code]) => code as number | null)
  onTestFinished(async () => {
    child.kill('SIGTERM')
    await exit
  })
  const said = listen(child)
  const next = (event: string) =>
    until(`the service says ${event}`, () => {
      if (event !== 'failed') refuseFailure(said)
      return said.find((one) => one.event === event)
    })
  return { pid: child.pid ?? 0, said, next, exit }
}

function listen(child: ChildProcess): Said[] {
  const said: Said[] = []
  if (child.stdout) createInterface(child.stdout).on('line', (line) => said.push(JSON.parse(line)))
  return said
}

function refuseFailure(said: Said[]) {
  const failed = said.find((one) => one.event === 'failed')
  if (failed) throw new Error(failed.error)
}

/** A folder of the test's own; whatever server is left on it is ended with the test. */
export async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'bgc-embedded-'))
  onTestFinished(async () => {
    const pid = await postmasterPid(join(folder, 'data')).catch(() => 0)
    if (pid > 1 && pid !== process.pid && (await isPostgres(pid))) signal(pid, 'SIGKILL')
    await rm(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 })
  })
  return folder
}

let template: Promise<string> | undefined

/** A data folder that was started once: a copy of one for each file, since making one takes most of a second. */
export async function preparedFolder(): Promise<string> {
  template ??= makeTemplate()
  const dataDir = join(await temporaryFolder(), 'data')
  execFileSync('cp', ['-a', await template, dataDir])
  return dataDir
}

afterAll(async () => {
  if (template) await rm(dirname(await template), { recursive: true, force: true })
})

async function makeTemplate(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'bgc-embedded-'))
  const server = await startEmbeddedPostgres({ dataDir: join(folder, 'data') })
  await query(server.url, 'CREATE TABLE kept AS SELECT 42 AS n')
  await server.stop()
  return join(folder, 'data')
}

async function isPostgres(pid: number): Promise<boolean> {
  const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')
  return /bin\/postgres\0-D\0/.test(command)
}

export const postmasterPid = async (dataDir: string) =>
  Number((await readFile(join(dataDir, 'postgres/postmaster.pid'), 'utf8')).split('\n')[0])

export async function until<T>(
  what: string,
  condition: () => T | Promise<T>,
  patience = 50_000,
): Promise<NonNullable<T>> {
  for (const deadline = Date.now() + patience; Date.now() < deadline; await sleep(10)) {
    const found = await condition()
    if (found) return found
  }
  throw new Error(`waited in vain until ${what}`)
}

export const untilGone = (pid: number) =>
  until(`process ${pid} is gone`, async () => (await processStart(pid)) === null)

export async function query(url: string, sql: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5_000 })
  client.on('error', () => undefined)
  await client.connect()
  try {
    return (await client.query(sql)).rows
  } finally {
    await client.end()
  }
}

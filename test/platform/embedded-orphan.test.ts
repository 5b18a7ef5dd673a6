import { spawn } from 'node:child_process'
import { chown, mkdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { startEmbeddedPostgres } from '../../src/platform/embedded/postgres.js'
import {
  postmasterPid,
  preparedFolder,
  query,
  type Service,
  startService,
  temporaryFolder,
  until,
  untilGone,
} from './embedded-kit.js'

vi.setConfig({ testTimeout: 180_000 })
const asRoot = process.getuid?.() === 0
const KEPT = 'SELECT n FROM kept'

async function ready(service: Service): Promise<string> {
  return (await service.next('ready')).url ?? ''
}

async function kill(service: Service): Promise<void> {
  process.kill(service.pid, 'SIGKILL')
  await service.exit
}

async function start(dataDir: string) {
  const events: string[] = []
  const server = await startEmbeddedPostgres({ dataDir, log: (event) => events.push(event) })
  onTestFinished(() => server.stop())
  return { ...server, events }
}

describe('after kill -9 of the service', () => {
  it('the next start adopts the server that was left, on its port, and stops it in the end', async () => {
    const dataDir = await preparedFolder()
    const killed = startService(dataDir)
    const url = await ready(killed)
    const pid = await postmasterPid(dataDir)
    await kill(killed)

    const next = await start(dataDir)
    expect(next.events).toEqual(['postgres_adopted'])
    expect(next.url).toBe(url)
    expect(await postmasterPid(dataDir)).toBe(pid)
    expect(await query(url, KEPT)).toEqual([{ n: 42 }])
    await next.stop()
    await untilGone(pid)
  })

  it('an adopted server that dies is restarted, too', async () => {
    const dataDir = await preparedFolder()
    const killed = startService(dataDir)
    const url = await ready(killed)
    await kill(killed)
    const next = await start(dataDir)
    process.kill(await postmasterPid(dataDir), 'SIGKILL')
    await until('the restart is logged', () => next.events.includes('postgres_restarted'))
    expect(await query(url, KEPT)).toEqual([{ n: 42 }])
  })

  it('a server that hangs is ended, and another takes its place', async () => {
    const dataDir = await preparedFolder()
    const killed = startService(dataDir)
    await ready(killed)
    const pid = await postmasterPid(dataDir)
    await kill(killed)
    process.kill(pid, 'SIGSTOP')

    const next = await start(dataDir)
    expect(next.events).toEqual(['postgres_orphan_ended', 'postgres_started'])
    expect(await query(next.url, KEPT)).toEqual([{ n: 42 }])
    await untilGone(pid)
  })

  it('a server that was killed as well leaves nothing in the way', async () => {
    const dataDir = await preparedFolder()
    const killed = startService(dataDir)
    await ready(killed)
    const pid = await postmasterPid(dataDir)
    await kill(killed)
    process.kill(pid, 'SIGKILL')
    await untilGone(pid)

    const next = await start(dataDir)
    expect(next.events).toEqual(['postgres_started'])
    expect(await query(next.url, KEPT)).toEqual([{ n: 42 }])
  })

  it('a pid that belongs to another program by now is left alone', async () => {
    const dataDir = await preparedFolder()
    const first = await start(dataDir)
    const pid = await postmasterPid(dataDir)
    const file = join(dataDir, 'postgres/postmaster.pid')
    const left = await readFile(file, 'utf8')
    await first.stop()
    // Of the same user, since PostgreSQL takes the pids of others for dead.
    const owner = await ownerOf(dataDir)
    const stranger = spawn('sleep', ['60'], { stdio: 'ignore', ...(asRoot ? owner : {}) })
    onTestFinished(() => void stranger.kill('SIGKILL'))
    await writeFile(file, left.replace(String(pid), String(stranger.pid)), { mode: 0o600 })
    await chown(file, owner.uid, owner.gid)

    const next = await start(dataDir)
    expect(next.events).toEqual(['postgres_started'])
    expect(await query(next.url, KEPT)).toEqual([{ n: 42 }])
    expect(stranger.exitCode).toBeNull()
  })
})

describe('the end of the service', () => {
  it('leaves no server behind when the process exits without a stop', async () => {
    const dataDir = await preparedFolder()
    const service = startService(dataDir)
    await ready(service)
    const pid = await postmasterPid(dataDir)
    process.kill(service.pid, 'SIGUSR2')
    expect(await service.exit).toBe(3)
    await untilGone(pid)
  })

  it('does not reach the server by Ctrl-C, only by the stop', async () => {
    const dataDir = await preparedFolder()
    const service = startService(dataDir, { detached: true })
    const url = await ready(service)
    const pid = await postmasterPid(dataDir)
    process.kill(-service.pid, 'SIGINT')
    await service.next('interrupted')
    expect(await query(url, 'SELECT 1 AS one')).toEqual([{ one: 1 }])
    process.kill(service.pid, 'SIGTERM')
    await service.next('stopped')
    expect(await service.exit).toBe(0)
    await untilGone(pid)
  })
})

describe('two services on one folder', () => {
  it('are one: of two that start at once the other is refused, and told whose it is', async () => {
    const dataDir = await preparedFolder()
    const services = [startService(dataDir), startService(dataDir)]
    const ends = await Promise.all(
      services.map((service) => Promise.any([service.next('ready'), service.next('failed')])),
    )
    expect(ends.map(({ event }) => event).sort()).toEqual(['failed', 'ready'])
    const winner = services[ends.findIndex(({ event }) => event === 'ready')]
    const message = ends.find(({ event }) => event === 'failed')?.error
    expect(message).toContain(`is in use by process ${winner?.pid}`)
    expect(message).toMatch(/BGC_DATA_DIR.*DATABASE_URL/)
  })

  it('are refused within one process as well, until the first stops', async () => {
    const dataDir = await preparedFolder()
    const first = await start(dataDir)
    await expect(start(dataDir)).rejects.toThrow(`is in use by process ${process.pid}`)
    await first.stop()
    await start(dataDir)
  })
})

describe.runIf(asRoot)('a service without root', () => {
  const nobody = { uid: 65534, gid: 65534, env: { PATH: process.env.PATH, TSX_DISABLE_CACHE: '1' } }

  it('runs its server as itself', async () => {
    const folder = await temporaryFolder()
    await chown(folder, nobody.uid, nobody.gid)
    const service = startService(join(folder, 'data'), nobody)
    expect(await query(await ready(service), 'SELECT 1 AS one')).toEqual([{ one: 1 }])
  })

  it('says whose the data are when they are not its own', async () => {
    const folder = await temporaryFolder()
    await mkdir(join(folder, 'postgres'), { recursive: true })
    await chown(folder, nobody.uid, nobody.gid)
    const service = startService(folder, nobody)
    expect((await service.next('failed')).error).toMatch(/belong to uid 0, and this process runs as uid 65534/)
  })
})

async function ownerOf(dataDir: string) {
  const { uid, gid } = await stat(join(dataDir, 'postgres'))
  return { uid, gid }
}

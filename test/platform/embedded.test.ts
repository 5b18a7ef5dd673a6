import { execFileSync } from 'node:child_process'
import { chown, mkdir, readFile, stat, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { findBinaries } from '../../src/platform/embedded/binaries.js'
import { openCluster } from '../../src/platform/embedded/cluster.js'
import { freePort, startEmbeddedPostgres } from '../../src/platform/embedded/postgres.js'
import { launch, shutDown } from '../../src/platform/embedded/postmaster.js'
import { sharedBuffersMb } from '../../src/platform/embedded/settings.js'
import { postmasterPid, preparedFolder, query, temporaryFolder, until, untilGone } from './embedded-kit.js'

const asRoot = process.getuid?.() === 0

async function start(dataDir: string) {
  const events: string[] = []
  const server = await startEmbeddedPostgres({ dataDir, log: (event) => events.push(event) })
  onTestFinished(() => server.stop())
  return { ...server, events, dataDir }
}

const startFresh = async () => start(await preparedFolder())

describe('the buffers of an embedded PostgreSQL', () => {
  it.each([
    { memoryGb: 0.5, mb: 128 },
    { memoryGb: 4, mb: 512 },
    { memoryGb: 64, mb: 1024 },
  ])('are $mb MB of $memoryGb GB', ({ memoryGb, mb }) => {
    expect(sharedBuffersMb(memoryGb * 1024 ** 3)).toBe(mb)
  })
})

describe('an embedded PostgreSQL', () => {
  it('has the database bgc in UTF-8, on 127.0.0.1 only, with settings for this machine', async () => {
    const server = await startFresh()
    const settings = [
      'listen_addresses',
      'unix_socket_directories',
      'max_connections',
      'synchronous_commit',
      'wal_level',
      'shared_buffers',
    ]
    const columns = settings.map((name) => `current_setting('${name}') AS ${name}`).join(', ')
    const [row] = await query(
      server.url,
      `SELECT ${columns}, current_database() AS db, pg_encoding_to_char(encoding) AS encoding, datlocale AS locale
       FROM pg_database WHERE datname = current_database()`,
    )
    expect(row).toEqual({
      listen_addresses: '127.0.0.1',
      unix_socket_directories: '',
      max_connections: '100',
      synchronous_commit: 'on',
      wal_level: 'replica',
      shared_buffers: expect.stringMatching(/^(1GB|[1-9]\d{2}MB)$/),
      db: 'bgc',
      encoding: 'UTF8',
      locale: 'C.UTF-8',
    })
  })

  it('lets nobody in without its password, which only its owner can read', async () => {
    const { url, dataDir } = await startFresh()
    const wrong = new URL(url)
    wrong.password = 'wrong'
    await expect(query(wrong.href, 'SELECT 1')).rejects.toThrow(/password authentication failed/)
    expect(await readFile(join(dataDir, 'postgres/pg_hba.conf'), 'utf8')).not.toMatch(/^[^#].*trust/m)
    expect((await stat(join(dataDir, 'password'))).mode & 0o777).toBe(0o600)
    const [row] = await query(url, `SELECT rolpassword FROM pg_authid WHERE rolname = 'bgc'`)
    expect(row?.rolpassword).toMatch(/^SCRAM-SHA-256/)
  })

  it('keeps its data and what an operator set over a stop, and stopping twice is harmless', async () => {
    const first = await startFresh()
    await query(first.url, 'INSERT INTO kept VALUES (43)')
    await query(first.url, `ALTER SYSTEM SET shared_buffers = '144MB'`)
    const pid = await postmasterPid(first.dataDir)
    await Promise.all([first.stop(), first.stop()])
    await first.stop()
    await untilGone(pid)
    const second = await start(first.dataDir)
    expect(await query(second.url, 'SELECT n FROM kept')).toEqual([{ n: 42 }, { n: 43 }])
    expect(await query(second.url, 'SHOW shared_buffers')).toEqual([{ shared_buffers: '144MB' }])
    expect(second.events).toEqual(['postgres_started'])
  })

  it('starts over a first start that was killed half-way', async () => {
    const dataDir = join(await temporaryFolder(), 'data')
    await mkdir(join(dataDir, 'postgres.new/base'), { recursive: true })
    await writeFile(join(dataDir, 'postgres.new/PG_VERSION'), '')
    const { url } = await start(dataDir)
    expect(await query(url, 'SELECT 1 AS one')).toEqual([{ one: 1 }])
  })

  it('comes back on the same port when it dies', async () => {
    const server = await startFresh()
    const pid = await postmasterPid(server.dataDir)
    process.kill(pid, 'SIGKILL')
    const rows = await until('it answers again', () => query(server.url, 'SELECT n FROM kept').catch(() => null))
    expect(rows).toEqual([{ n: 42 }])
    expect(server.events).toContain('postgres_died')
    await until('the restart is logged', () => server.events.includes('postgres_restarted'))
    expect(await postmasterPid(server.dataDir)).not.toBe(pid)
  })

  it('stops while it is being restarted', async () => {
    const server = await startFresh()
    process.kill(await postmasterPid(server.dataDir), 'SIGKILL')
    await until('its death is noticed', () => server.events.includes('postgres_died'))
    await server.stop()
    await expect(query(server.url, 'SELECT 1')).rejects.toThrow(/ECONNREFUSED/)
  })

  it('writes no values of failed statements into its log', async () => {
    const server = await startFresh()
    await expect(query(server.url, `SELECT '13800138000'::json::int[]`)).rejects.toThrow()
    await expect(query(server.url, `SELECT 'Zhang San'::int`)).rejects.toThrow()
    const log = await readFile(join(server.dataDir, 'postgres.log'), 'utf8')
    expect(log).toContain('ready to accept connections')
    expect(log).not.toMatch(/13800138000|Zhang San/)
  })

  it('refuses the data of another major version, and says what to do', async () => {
    const server = await startFresh()
    await server.stop()
    await writeFile(join(server.dataDir, 'postgres/PG_VERSION'), '17\n')
    await expect(start(server.dataDir)).rejects.toThrow(/written by PostgreSQL 17.*is PostgreSQL 18.*DATABASE_URL/)
  })

  it('says so when the password is gone, or is not the right one', async () => {
    const server = await startFresh()
    await server.stop()
    await writeFile(join(server.dataDir, 'password'), 'another\n')
    await expect(start(server.dataDir)).rejects.toMatchObject({ cause: { message: /password: put the original back/ } })
    await writeFile(join(server.dataDir, 'password'), '')
    await expect(start(server.dataDir)).rejects.toThrow(/password is gone/)
  })
})

describe.runIf(asRoot)('an embedded PostgreSQL under root', () => {
  it('does not run as root, also in a folder that only root can reach', async () => {
    const closed = join(await temporaryFolder(), 'closed')
    await mkdir(closed, { mode: 0o700 })
    const server = await start(join(closed, 'data'))
    const pid = await postmasterPid(server.dataDir)
    expect((await stat(closed)).uid).toBe(0)
    expect((await stat(`/proc/${pid}`)).uid).not.toBe(0)
    expect(await query(server.url, 'SELECT 1 AS one')).toEqual([{ one: 1 }])
  })

  it('runs programs from a folder that only root can reach, initdb included', async () => {
    const closed = join(await temporaryFolder(), 'closed')
    await mkdir(closed, { mode: 0o700 })
    const native = dirname(dirname((await findBinaries()).postgres))
    // Links where they are possible: the programs and their libraries have 60 MB.
    execFileSync('sh', ['-c', 'cp -al "$1" "$2" || cp -a "$1" "$2"', 'sh', native, join(closed, 'native')])
    await mkdir(join(closed, 'data'))
    const bin = join(closed, 'native/bin')
    const binaries = { postgres: join(bin, 'postgres'), initdb: join(bin, 'initdb') }
    const cluster = await openCluster(join(closed, 'data'), binaries)
    const port = await freePort()
    const postmaster = await launch(cluster, port, new AbortController().signal)
    onTestFinished(() => shutDown(postmaster))
    expect(await query(`postgresql://bgc:${cluster.password}@127.0.0.1:${port}/postgres`, 'SELECT 1 AS one')).toEqual([
      { one: 1 },
    ])
  })

  it('runs as the owner of the data, also when that is a number without a name', async () => {
    const dataDir = join(await temporaryFolder(), 'data')
    await mkdir(dataDir)
    await chown(dataDir, 12345, 12345)
    await start(dataDir)
    expect((await stat(join(dataDir, 'postgres'))).uid).toBe(12345)
    expect((await stat(join(dataDir, 'password'))).uid).toBe(12345)
    expect((await stat(`/proc/${await postmasterPid(dataDir)}`)).uid).toBe(12345)
  })
})

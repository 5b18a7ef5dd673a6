import { execFile, spawn } from 'node:child_process'
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { gunzipSync } from 'node:zlib'
import pg from 'pg'
import { describe, expect, inject, it, onTestFinished } from 'vitest'
import { registerAccount } from '../../src/flow/accounts/register.js'
import { receiveOrder } from '../../src/flow/orders/receive.js'
import { recordVendorOrder } from '../../src/flow/orders/record.js'
import { createSealer } from '../../src/platform/crypto/sealer.js'
import { openDatabase } from '../../src/platform/database/database.js'
import { listMigrations, MIGRATIONS, migrate } from '../../src/platform/database/migrate.js'
import { startEmbeddedPostgres } from '../../src/platform/embedded/postgres.js'
import { createLogger } from '../../src/platform/logger.js'
import { query } from '../platform/embedded-kit.js'
import { emptyDatabase } from '../support/empty-database.js'
import { orderToPlace } from '../support/order-to-place.js'
import { program } from '../support/programs.js'
import { freshId } from '../support/room.js'
import { saying, stage } from '../support/vendor-words.js'
import { bare, cli, complete, run } from './support.js'

const key = Buffer.alloc(32, 7)
const sealer = createSealer([{ id: 'k1', key }])
const BGC_ENCRYPTION_KEYS = `k1:${key.toString('base64')}`
const canary = 'canary-7f3a'

async function folder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'bgc-cli-'))
  onTestFinished(() => rm(path, { recursive: true, force: true }))
  return path
}

/** A check with a stage that waits, all of it with words that must not be readable. */
async function fill(url: string): Promise<void> {
  await migrate(url)
  const database = openDatabase({ url, log: createLogger('silent') })
  const id = freshId()
  const origin = { appId: complete.FEISHU_APP_ID, tenantKey: 'tk' }
  const order = { ...orderToPlace(id, { accountId: '1', tenantKey: 'tk', packageId: 'p' }), comment: canary }
  order.candidate = { ...order.candidate, name: canary, email: `${canary}@example.com` }
  await database.transaction(async (sql) => {
    const account = {
      accountId: '1',
      tenantKey: 'tk',
      accountName: 'a',
      usageList: [1],
      customFields: { word: canary },
    }
    await registerAccount(sql, sealer, origin, account)
    await receiveOrder(sql, sealer, origin, order)
    const vendor = saying('in_progress', [stage('st-1', { name: canary, result: canary })])
    const reading = { mayRecord: async () => true, isLatest: true }
    await recordVendorOrder(sql, sealer, id, vendor, Date.now(), reading)
  })
  await database.stop()
}

async function filled(): Promise<string> {
  const url = await emptyDatabase(inject('databaseUrl'))
  await fill(url)
  return url
}

/** A file of `bgc backup`. */
async function backedUp(): Promise<string> {
  const file = join(await folder(), 'b.tar.gz')
  const { code, err } = await run(['backup', file], { ...bare, DATABASE_URL: await filled() })
  expect([code, err]).toEqual([0, ''])
  return file
}

const restoring = (more: Record<string, string>) => ({ ...complete, BGC_ENCRYPTION_KEYS, ...more })

describe('bgc backup', () => {
  it('needs the database alone, says what it wrote, and the file holds nothing that can be read of a person', async () => {
    const file = join(await folder(), 'b.tar.gz')
    const { code, out, err } = await run(['backup', file, '--json'], { ...bare, DATABASE_URL: await filled() })
    expect([code, err]).toEqual([0, ''])
    const { mode, size } = await stat(file)
    expect(mode & 0o777).toBe(0o600)
    const said = JSON.parse(out) as Record<string, unknown>
    expect(said).toEqual({
      file,
      bytes: size,
      tables: expect.any(Number),
      rows: expect.any(Number),
      backup_at: expect.any(String),
    })
    const held = gunzipSync(await readFile(file))
    expect(held.includes('st-1')).toBe(true)
    for (const form of [
      canary,
      Buffer.from(canary).toString('hex'),
      Buffer.from(canary).toString('base64').slice(0, 12),
    ]) {
      expect(held.includes(form)).toBe(false)
    }
  })

  it('takes the embedded database beside the server that runs on it, into the current folder, and names the file by the time', async () => {
    const BGC_DATA_DIR = join(await folder(), 'data')
    const server = await startEmbeddedPostgres({ dataDir: BGC_DATA_DIR })
    onTestFinished(() => server.stop())
    await fill(server.url)
    const cwd = await folder()
    const args = [program(cli), 'backup']
    const { stdout } = await promisify(execFile)(process.execPath, args, { cwd, env: { ...bare, BGC_DATA_DIR } })
    const [name = ''] = await readdir(cwd)
    expect(name).toMatch(/^bgc-backup-\d{8}T\d{6}Z\.tar\.gz$/)
    expect(stdout).toContain(`${name}: `)
    expect(await query(server.url, 'SELECT count(*)::int AS n FROM orders')).toEqual([{ n: 1 }])
  })

  it('writes to standard output, and says the rest beside it', async () => {
    const child = spawn(process.execPath, [program(cli), 'backup', '-', '--json'], {
      env: { ...bare, DATABASE_URL: await filled() },
    })
    const chunks: Buffer[] = []
    let err = ''
    child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk))
    child.stderr.on('data', (chunk: Buffer) => (err += String(chunk)))
    await new Promise((resolve) => child.once('close', resolve))
    expect(JSON.parse(err)).toMatchObject({ file: '-', bytes: null })
    expect(gunzipSync(Buffer.concat(chunks)).includes('sums.json')).toBe(true)
  })

  it('makes no database where there is none', async () => {
    const BGC_DATA_DIR = join(await folder(), 'data')
    const { code, err } = await run(['backup', join(await folder(), 'x')], { ...bare, BGC_DATA_DIR })
    expect([code, err]).toEqual([1, expect.stringContaining(`there is no database in ${BGC_DATA_DIR}`)])
    await expect(stat(BGC_DATA_DIR)).rejects.toThrow('ENOENT')
  })
})

describe('bgc restore', () => {
  it('brings a file into a data folder of its own, holds what it knows, and says what to do', async () => {
    const [file, BGC_DATA_DIR] = [await backedUp(), join(await folder(), 'data')]
    const { code, out, err } = await run(['restore', file, '--yes'], restoring({ BGC_DATA_DIR }))
    expect([code, err]).toEqual([0, ''])
    expect(out).toContain('nothing is sent to Feishu for 1 tenant until')
    const server = await startEmbeddedPostgres({ dataDir: BGC_DATA_DIR })
    onTestFinished(() => server.stop())
    expect(await query(server.url, 'SELECT scope, tenant_key FROM holds')).toEqual([
      { scope: 'restore', tenant_key: 'tk' },
    ])
    expect(await query(server.url, 'SELECT count(*)::int AS n FROM orders')).toEqual([{ n: 1 }])
    const second = await run(['restore', file, '--yes'], restoring({ BGC_DATA_DIR }))
    expect(second.code).toBe(1)
    expect(second.err).toContain('the database is not empty')
  })

  it('does nothing before somebody agreed', async () => {
    const [file, url] = [await backedUp(), await emptyDatabase(inject('databaseUrl'))]
    const { code, out, err } = await run(['restore', file], restoring({ DATABASE_URL: url }))
    expect([code, out]).toEqual([1, ''])
    expect(err).toContain('agree with --yes')
    expect(await query(url, `SELECT count(*)::int AS n FROM pg_tables WHERE schemaname = 'public'`)).toEqual([{ n: 0 }])
  })

  it.each([
    ['without keys', ''],
    ['with other keys', `k2:${Buffer.alloc(32, 8).toString('base64')}`],
    ['with another key of the same name', `k1:${Buffer.alloc(32, 8).toString('base64')}`],
  ])('%s it is refused, and nothing is brought', async (_name, keys) => {
    const [file, url] = [await backedUp(), await emptyDatabase(inject('databaseUrl'))]
    const { BGC_ENCRYPTION_KEYS: _own, ...env } = restoring({ DATABASE_URL: url })
    const { code, err } = await run(['restore', file, '--yes'], {
      ...env,
      ...(keys !== '' && { BGC_ENCRYPTION_KEYS: keys }),
    })
    expect([code, err]).toEqual([1, expect.stringContaining('the keys do not fit what was backed up')])
    expect(await query(url, 'SELECT count(*)::int AS n FROM orders')).toEqual([{ n: 0 }])
  })

  it('makes no database for a file that is damaged', async () => {
    const [file, BGC_DATA_DIR] = [join(await folder(), 'b'), join(await folder(), 'data')]
    await writeFile(file, 'no backup')
    const { code, err } = await run(['restore', file, '--yes'], restoring({ BGC_DATA_DIR }))
    expect([code, err]).toEqual([1, expect.stringContaining(`${file} is not a backup that \`bgc backup\` wrote`)])
    await expect(stat(BGC_DATA_DIR)).rejects.toThrow('ENOENT')
  })

  it('brings what a database of an earlier release holds to the schema of this one, and holds its tenants', async () => {
    const [before, target] = [await emptyDatabase(inject('databaseUrl')), await emptyDatabase(inject('databaseUrl'))]
    const all = await listMigrations(MIGRATIONS)
    await migrate(before, { only: all.slice(0, 2) })
    await query(
      before,
      `INSERT INTO orders (background_check_id, app_id, tenant_key, state) VALUES ('101', '${complete.FEISHU_APP_ID}', 'tk', 'ordered')`,
    )
    const file = join(await folder(), 'b.tar.gz')
    expect((await run(['backup', file], { ...bare, DATABASE_URL: before })).code).toBe(0)
    const { code, out, err } = await run(['restore', file, '--yes', '--json'], restoring({ DATABASE_URL: target }))
    expect([code, err]).toEqual([0, ''])
    expect(JSON.parse(out)).toMatchObject({ rows: 1, tenants_held: 1, applied: all.slice(2) })
    expect(await query(target, 'SELECT unsure FROM lanes')).toEqual([{ unsure: true }])
    expect(await migrate(target)).toEqual([])
  })

  it('marks a database that was restored by other means, once nobody is connected', async () => {
    const url = await filled()
    const service = new pg.Client({ connectionString: url, application_name: 'bgc-bridge' })
    await service.connect()
    const served = await run(['restore', '--mark', '--yes'], { ...bare, DATABASE_URL: url })
    expect([served.code, served.err]).toEqual([1, expect.stringContaining('stop every process of bgc-bridge first')])
    await service.end()
    const args = ['restore', '--mark', '--yes', '--json', '--as-of', '2026-01-02T03:04:05Z']
    const { code, out } = await run(args, { ...bare, DATABASE_URL: url })
    expect([code, JSON.parse(out)]).toEqual([
      0,
      { backup_at: '2026-01-02T03:04:05.000Z', rows: null, applied: [], tenants_held: 1 },
    ])
    expect(await query(url, `SELECT after ->> 'by' AS by FROM audit WHERE action = 'database.restore'`)).toEqual([
      { by: 'mark' },
    ])
    expect(await query(url, 'SELECT ambiguous FROM deliveries')).toEqual([{ ambiguous: true }])
  })

  it.each([
    [['restore'], 'expected a file, or --mark without one'],
    [['restore', 'x', '--mark'], 'expected a file, or --mark without one'],
    [['restore', 'x', '--as-of', '2026-01-02T03:04:05Z'], '--as-of goes with --mark'],
    [['restore', '--mark', '--as-of', 'yesterday'], 'Expected a time like'],
  ])('%j is wrong usage', async (args, complaint) => {
    const { code, err } = await run(args)
    expect([code, err]).toEqual([64, expect.stringContaining(complaint)])
  })
})

it('no command works on a database of a later release', async () => {
  const url = await filled()
  await query(
    url,
    `INSERT INTO _prisma_migrations (id, checksum, migration_name, finished_at) VALUES ('x', 'x', '20990101000000_next', now())`,
  )
  const env = restoring({ DATABASE_URL: url })
  for (const args of [
    ['migrate'],
    ['import', 'orders', '/dev/null'],
    ['backup', '-'],
    ['restore', '--mark', '--yes'],
  ]) {
    const { code, err } = await run(args, env)
    expect([code, err]).toEqual([
      1,
      expect.stringContaining('written by a later release of bgc-bridge (it has 20990101000000_next)'),
    ])
  }
})

it.each(['backup', 'restore'])(
  '%s refuses a folder of another major version of PostgreSQL, with what to do',
  async (name) => {
    const BGC_DATA_DIR = await folder()
    await mkdir(join(BGC_DATA_DIR, 'postgres'))
    await writeFile(join(BGC_DATA_DIR, 'postgres', 'PG_VERSION'), '17\n')
    const args = name === 'backup' ? ['backup', '-'] : ['restore', await backedUp(), '--yes']
    const { code, out, err } = await run(args, restoring({ BGC_DATA_DIR }))
    expect([code, out]).toEqual([1, ''])
    expect(err).toMatch(/was written by PostgreSQL 17.*run `bgc backup`, move the folder away, and run `bgc restore`/)
  },
)

import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync, gzipSync } from 'node:zlib'
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { exportMonth } from '../../src/flow/archive/export.js'
import { checkArchiveFile } from '../../src/flow/archive/file.js'
import { importMonth } from '../../src/flow/archive/import.js'
import { countMonth, describeMonths } from '../../src/flow/archive/months.js'
import { readArchived } from '../../src/flow/archive/read.js'
import type { Database, Sql } from '../../src/platform/database/database.js'
import { ensureMonth, listMonths } from '../../src/platform/database/months.js'
import { archiveOn } from '../support/archive-room.js'
import { eventually } from '../support/eventually.js'
import { count, freshId, type Ground, layGround } from '../support/room.js'

let ground: Ground
let room: ReturnType<typeof archiveOn>
let folder: string

beforeAll(async () => {
  ground = await layGround()
  room = archiveOn(ground)
})

afterAll(() => ground.stop())

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bgc-archive-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  await query('TRUNCATE orders, timeline, deliveries, lanes, audit, archived_checks')
  for (const { partition } of await listMonths(ground.database.pool, 'archived_orders')) {
    await query(`DROP TABLE ${partition}`)
  }
})

const query = async (text: string, values: unknown[] = []) => (await ground.database.pool.query(text, values)).rows
const thisMonth = new Date().toISOString().slice(0, 7)
const month = '2025-03'

/** Orders that were archived in a month that is over; answers their ids. */
async function archived(orders = 3): Promise<string[]> {
  const ids: string[] = []
  for (let each = 0; each < orders; each += 1) ids.push(await room.old())
  await room.archive()
  await ground.database.transaction((sql) => ensureMonth(sql, 'archived_orders', month))
  await query(`UPDATE archived_orders SET month = '2025-03-01'`)
  await query(`UPDATE archived_checks SET month = '2025-03-01'`)
  return ids
}

const months = async () => (await describeMonths(ground.database.pool)).map((each) => [each.month, each.orders])
const allRows = () => query('SELECT t::text AS row FROM archived_orders t ORDER BY 1')
const give = (file: string, drop = false, of = month) =>
  exportMonth({ database: ground.database, month: of, file, drop, release: '0.0.0', actor: 'tester' })
const take = (file: string) => importMonth({ database: ground.database, file, actor: 'tester' })

/** Transactions in which something happens before each statement. */
function crossing(happen: (text: string) => Promise<void>): Database {
  const transaction: Database['transaction'] = (work) =>
    ground.database.transaction((sql) => {
      const query = async (text: string, values?: unknown[]) => {
        await happen(text)
        return sql.query(text, values)
      }
      // Overloads of `query` that nobody uses here.
      return work({ query } as Sql)
    })
  return { ...ground.database, transaction }
}

describe('the months of the archive', () => {
  test('are made as they come, by several runs at once, and tell what is in them', async () => {
    await room.complete()
    for (let each = 0; each < 4; each += 1) await room.old()
    const another = archiveOn({ ...ground, database: ground.another() })
    await Promise.all([room.archive({ batch: 2 }), another.archive({ batch: 2 })])
    await room.archive()
    const [only, ...others] = await describeMonths(ground.database.pool)
    expect(others).toEqual([])
    expect(only).toMatchObject({ month: thisMonth, orders: 4 })
    expect(only?.bytes).toBeGreaterThan(8192)
    expect(only?.firstEndedAt?.getTime()).toBeLessThan(Date.now() - 499 * 86_400_000)
  })

  test('are made while somebody reads the archive for long, as a backup does', async () => {
    await room.old()
    await ground.another().transaction(async (sql) => {
      await sql.query('LOCK TABLE archived_orders IN ACCESS SHARE MODE')
      expect(await room.archive()).toMatchObject({ moved: 1 })
    })
  })
})

test('a month is counted piece by piece', async () => {
  await ground.database.transaction((sql) => ensureMonth(sql, 'archived_orders', month))
  await query(
    `INSERT INTO archived_orders SELECT i::text, '2025-03-01', now(), '2024-01-01Z'::timestamptz + i * interval '1 hour', 'a', 't',
       NULL, NULL, '{}' FROM generate_series(1, 500) i`,
  )
  await query('DELETE FROM archived_orders WHERE ended_at < $1', ['2024-01-01T03:00:00Z'])
  const counted = {
    orders: 498,
    firstEndedAt: new Date('2024-01-01T03:00:00Z'),
    lastEndedAt: new Date('2024-01-21T20:00:00Z'),
  }
  for (const blocks of [1, 3, 1000]) expect(await countMonth(ground.database.pool, month, blocks)).toEqual(counted)
  expect(await countMonth(ground.database.pool, '2025-04')).toEqual({
    orders: 0,
    firstEndedAt: null,
    lastEndedAt: null,
  })
})

describe('an export', () => {
  test('is JSON in lines that says what it is, and how many orders with which checksum', async () => {
    const ids = await archived()
    const file = join(folder, 'march.ndjson.gz')
    const { orders, sha256 } = await give(file)
    const text = gunzipSync(await readFile(file)).toString('utf8')
    const lines = text.trimEnd().split('\n')
    const [head = '', ...rest] = lines.map((line): Record<string, unknown> => JSON.parse(line))
    expect(head).toMatchObject({ bgc_archive: 1, month, release: '0.0.0' })
    const manifest = { format: 1, month, orders: 3, sha256: expect.stringMatching(/^[0-9a-f]{64}$/) }
    expect(rest.pop()).toEqual({ manifest })
    expect(rest.map((each) => each['background_check_id'])).toEqual([...ids].sort())
    const before = text.slice(0, text.lastIndexOf('\n', text.length - 2) + 1)
    expect([orders, sha256]).toEqual([3, createHash('sha256').update(before).digest('hex')])
    expect(await months()).toContainEqual([month, 3])
    expect(await readdir(folder)).toEqual(['march.ndjson.gz'])
  })

  test('takes the month off when it shall, and an import brings back every row as it was', async () => {
    const [id = ''] = await archived()
    const rows = await allRows()
    const file = join(folder, 'march.ndjson.gz')
    await query('DELETE FROM audit')
    await give(file, true)
    expect(await months()).toEqual([[thisMonth, 0]])
    await room.take('late', 'hire.eco_background_check.created_v1', { background_check_id: id })
    expect(await room.living(id)).toBe(0)
    expect(await take(file)).toEqual({ month, imported: 3, existing: 0 })
    expect(await allRows()).toEqual(rows)
    expect(await take(file)).toEqual({ month, imported: 0, existing: 3 })
    expect(await allRows()).toEqual(rows)
    const told = await query('SELECT action, subject, after FROM audit ORDER BY id')
    const { sha256 } = await checkArchiveFile(file)
    const subject = `archive:${month}`
    expect(told).toEqual([
      { action: 'archive.drop', subject, after: { orders: 3, sha256 } },
      { action: 'archive.import', subject, after: { orders: 3, sha256 } },
      { action: 'archive.import', subject, after: { orders: 0, sha256 } },
    ])
  })

  test('brings checks back to a database that never knew them, and leaves those alone that live there', async () => {
    const ids = await archived()
    const file = join(folder, 'march.ndjson.gz')
    await give(file)
    const other = await layGround()
    onTestFinished(() => other.stop())
    const there = archiveOn(other)
    await there.receive(ids[0])
    expect(await importMonth({ database: other.database, file, actor: 'tester' })).toEqual({
      month,
      imported: 2,
      existing: 1,
    })
    expect(await count(other.database, 'archived_checks')).toBe(2)
    await there.receive(ids[1])
    expect([await there.living(ids[0] ?? ''), await there.living(ids[1] ?? '')]).toEqual([expect.any(Number), 0])
  })

  test('is brought back whole by one import at a time, beside runs that begin a month', async () => {
    const ids = await archived()
    const file = join(folder, 'march.ndjson.gz')
    await give(file, true)
    await query(`DROP TABLE archived_orders_${thisMonth.replace('-', '_')}`)
    await room.old()
    const crossed: unknown[] = []
    const database = crossing(async (text) => {
      if (!text.includes('INSERT INTO archived_orders')) return
      crossed.push(await room.archive())
      await expect(take(file)).rejects.toThrow('another import of 2025-03')
    })
    expect(await importMonth({ database, file, actor: 'tester' })).toEqual({ month, imported: 3, existing: 0 })
    expect(crossed).toEqual([expect.objectContaining({ moved: 1 })])
    expect(await count(ground.database, 'archived_orders')).toBe(ids.length + 1)
  })

  test('refuses what it does not have, a month that is not over, and a place that is no file', async () => {
    await archived()
    const file = join(folder, 'march.ndjson.gz')
    await expect(give(file, true, '2024-01')).rejects.toThrow('there is no 2024-01 in the archive')
    await expect(give(file, true, thisMonth)).rejects.toThrow('is not over')
    execFileSync('mkfifo', [join(folder, 'pipe')])
    for (const place of ['/dev/full', folder, join(folder, 'pipe')]) {
      await expect(give(place, true)).rejects.toThrow('is not a file')
    }
    expect([await readdir(folder), (await months())[0]]).toEqual([['pipe'], [month, 3]])
  })

  test.each([
    ['the archive is read', 'LOCK TABLE archived_orders IN ACCESS SHARE MODE'],
    ['the month is imported', 'LOCK TABLE archived_orders_2025_03 IN ROW EXCLUSIVE MODE'],
    ['another month is made', `SELECT pg_advisory_xact_lock(hashtextextended('months:archived_orders', 0))`],
  ])('leaves a month while %s for long', async (_name, lock) => {
    await archived()
    const file = join(folder, 'march.ndjson.gz')
    await ground.another().transaction(async (sql) => {
      await sql.query(lock)
      const options = { database: ground.database, month, file, drop: true, release: '0', actor: 'tester', waitMs: 50 }
      const dropped = exportMonth(options)
      await expect(dropped).rejects.toThrow('somebody works with the archive')
    })
    expect(await months()).toContainEqual([month, 3])
    expect((await checkArchiveFile(file)).orders).toBe(3)
  })

  test('lets others read the archive while it counts what it drops', async () => {
    const [id = ''] = await archived()
    const file = join(folder, 'march.ndjson.gz')
    const other = ground.another()
    let counted = 0
    const database = crossing(async (text) => {
      if (!text.includes('count(*)')) return
      counted += 1
      await other.transaction(async (sql) => {
        await sql.query(`SET LOCAL lock_timeout = '100ms'`)
        expect(await readArchived(sql, id)).toMatchObject({ kind: 'archived' })
      })
    })
    await exportMonth({ database, month, file, drop: true, release: '0', actor: 'tester' })
    expect(counted).toBeGreaterThan(0)
    expect(await months()).toEqual([[thisMonth, 0]])
  })

  test('is not waited for by an import while somebody drops it', async () => {
    await archived()
    const file = join(folder, 'march.ndjson.gz')
    await give(file)
    await ground.database.transaction(async (sql) => {
      await sql.query('LOCK TABLE archived_orders_2025_03 IN SHARE MODE')
      const early = importMonth({ database: ground.database, file, actor: 'tester', waitMs: 20 })
      await expect(early).rejects.toThrow(`${month} is being dropped just now: try again`)
    })
  })

  test('is dropped once, and an import that comes at that moment says that it came too early', async () => {
    await archived()
    const file = join(folder, 'march.ndjson.gz')
    await give(file)
    let early: Promise<unknown> | undefined
    const database = crossing(async (text) => {
      if (!text.includes('IN ACCESS EXCLUSIVE MODE')) return
      early = expect(take(file)).rejects.toThrow('was dropped at this moment')
      const waits = `SELECT count(*)::int AS n FROM pg_locks WHERE NOT granted AND relation = 'archived_orders_2025_03'::regclass`
      await eventually(async () => (await query(waits))[0]?.n).toBe(1)
    })
    await exportMonth({ database, month, file, drop: true, release: '0', actor: 'tester' })
    await early
    expect(await take(file)).toEqual({ month, imported: 3, existing: 0 })
  })

  test('is not written in the place of another month, or of more orders of the same one', async () => {
    await archived()
    const [march, april] = [join(folder, 'march.ndjson.gz'), join(folder, 'april.ndjson.gz')]
    await give(march)
    const written = await readFile(march)
    await ground.database.transaction((sql) => ensureMonth(sql, 'archived_orders', '2025-04'))
    await give(april, false, '2025-04')
    await expect(give(march, true, '2025-04')).rejects.toThrow(`${march} holds 2025-03`)
    await query(
      'DELETE FROM archived_orders WHERE background_check_id = (SELECT min(background_check_id) FROM archived_orders)',
    )
    await expect(give(march, true)).rejects.toThrow(`${march} holds 3 orders of 2025-03, and the database 2`)
    expect(await readFile(march)).toEqual(written)
    expect(await months()).toContainEqual([month, 2])
    // What is no file of an archive, or not whole, is replaced.
    await writeFile(march, written.subarray(0, 40))
    await give(march, true)
    await writeFile(april, 'something else')
    await give(april, true, '2025-04')
    expect(await readdir(folder)).toEqual(['april.ndjson.gz', 'march.ndjson.gz'])
  })
})

describe('a file that is not as it was written', () => {
  const gzip = (lines: string[]) => gzipSync(lines.map((line) => `${line}\n`).join(''))
  const linesOf = (bytes: Buffer) => gunzipSync(bytes).toString('utf8').trimEnd().split('\n')
  const withAnother = (line: string) => line.replace(/("document"\s*:\s*\{.*"background_check_id"\s*:\s*")\d+/, '$17')
  /** With the checksum that it has to have. */
  const signed = (lines: string[]) => {
    const all = lines.slice(0, -1)
    const sha256 = createHash('sha256')
      .update(all.map((line) => `${line}\n`).join(''))
      .digest('hex')
    return gzip([...all, (lines.at(-1) ?? '').replace(/[0-9a-f]{64}/, sha256)])
  }

  test.each<[string, (bytes: Buffer) => Buffer, string]>([
    ['cut off', (bytes) => bytes.subarray(0, bytes.length - 20), 'is not whole'],
    ['without its last line', (bytes) => gzip(linesOf(bytes).slice(0, -1)), 'is not whole'],
    ['without an order', (bytes) => gzip(linesOf(bytes).toSpliced(1, 1)), 'is damaged'],
    [
      'with another word',
      (bytes) => gzip(linesOf(bytes).map((line) => line.replace('completed', 'canceled'))),
      'is damaged',
    ],
    ['with the document of another order', (bytes) => signed(linesOf(bytes).map(withAnother)), 'is damaged'],
    ['with a line that is no order', (bytes) => gzip(linesOf(bytes).toSpliced(1, 1, '{"a":1}')), 'is damaged'],
    [
      'of another month',
      (bytes) => gzip(linesOf(bytes).toSpliced(0, 1, `{"bgc_archive":1,"month":"2025-04","release":"0"}`)),
      'is damaged',
    ],
    [
      'of a later format',
      (bytes) => gzip(linesOf(bytes).toSpliced(0, 1, '{"bgc_archive":2,"release":"9.0.0"}')),
      'bgc-bridge 9.0.0',
    ],
    [
      'with turned bytes',
      (bytes) => Buffer.concat([bytes.subarray(0, 200), Buffer.from('canary'), bytes.subarray(206)]),
      'is ',
    ],
    ['of something else', () => Buffer.from('hello'), 'is not a file that'],
    ['with nothing in it', () => Buffer.alloc(0), 'is not'],
  ])('%s is refused, and brings nothing', async (_name, turn, words) => {
    await archived()
    const file = join(folder, 'march.ndjson.gz')
    await give(file, true)
    await writeFile(file, turn(await readFile(file)))
    await expect(take(file)).rejects.toThrow(words)
    expect(await count(ground.database, 'archived_orders')).toBe(0)
  })

  test('is refused where there is none', async () => {
    await expect(take(join(folder, 'none'))).rejects.toThrow('there is no such file')
  })
})

test('an order that comes into a month after its export keeps the month from being dropped', async () => {
  await archived()
  const file = join(folder, 'march.ndjson.gz')
  const database = { ...ground.database }
  database.transaction = async (work) => {
    await query(
      `INSERT INTO archived_orders SELECT $1, month, archived_at, ended_at, app_id, tenant_key, account_id, vendor_order_id, document
       FROM archived_orders LIMIT 1`,
      [freshId()],
    )
    return ground.database.transaction(work)
  }
  const dropped = exportMonth({ database, month, file, drop: true, release: '0', actor: 'tester' })
  await expect(dropped).rejects.toThrow('export it again')
  expect(await months()).toContainEqual([month, 4])
})

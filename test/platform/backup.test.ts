import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { cp, mkdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { PassThrough, Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { gunzipSync, gzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { checkBackup } from '../../src/platform/backup/check.js'
import { writeWhole } from '../../src/platform/backup/file.js'
import { facts, kept, leftOut, notes, ours } from '../../src/platform/backup/tables.js'
import { writeBackup } from '../../src/platform/backup/write.js'
import { openDatabase } from '../../src/platform/database/database.js'
import { listMigrations, MIGRATIONS, migrate, pendingMigrations } from '../../src/platform/database/migrate.js'
import { createLogger } from '../../src/platform/logger.js'
import { startScript } from '../cli/support.js'
import { allRows, backUp, connect, fillAll, folder, migrated, nothing, restore } from './backup-kit.js'

const known = await listMigrations(MIGRATIONS)
const script = 'test/platform/backup-script.ts'

const tablesOf = async (url: string) => {
  const client = await connect(url)
  const { rows } = await client.query<{ name: string }>(
    `SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public' AND tablename <> '_prisma_migrations' ORDER BY 1`,
  )
  return rows.map(({ name }) => name)
}

it('holds every table of the schema, but those that are named as left out', async () => {
  const { url } = await migrated()
  expect(await tablesOf(url)).toEqual([...ours].sort())
  expect(new Set(ours).size).toBe(facts.length + notes.length + leftOut.length)
})

it('brings back every row of every table as it was, and numbers go on where they were', async () => {
  const { url, client } = await migrated()
  await fillAll(client)
  await client.query(`SELECT setval('deliveries_id_seq', 7000)`)
  const target = await nothing()
  const { rows, applied } = await restore(await backUp(url), target)
  const restored = await connect(target)
  expect(await allRows(restored)).toEqual(await allRows(client))
  expect([rows, applied]).toEqual([3 * kept.length, []])
  const numbers = `SELECT nextval('deliveries_id_seq') AS used, nextval('audit_id_seq') AS next`
  expect((await restored.query(numbers)).rows).toEqual((await client.query(numbers)).rows)
  for (const table of leftOut) expect((await restored.query(`SELECT 1 FROM ${table}`)).rowCount).toBe(0)
})

it('reads and writes alike whatever the defaults of the two databases are', async () => {
  const { url, client } = await migrated()
  await fillAll(client)
  const target = await nothing()
  const name = (of: string) => new URL(of).pathname.slice(1)
  const styles = [`datestyle = 'SQL, DMY'`, `timezone = 'Asia/Tokyo'`, `bytea_output = 'escape'`]
  for (const setting of [...styles, `transaction_timeout = '100ms'`]) {
    await client.query(`ALTER DATABASE ${name(url)} SET ${setting}`)
  }
  const file = join(await folder(), 'b')
  // Whoever takes it in is slower than the limit allows.
  await writeWhole(file, async (out) => {
    const slow = new Transform({
      transform: (chunk, _encoding, done) => setTimeout(done, 200, null, chunk),
    })
    await Promise.all([writeBackup({ url, release: '0' }, slow), pipeline(slow, out)])
  })
  await restore(file, target)
  expect(await allRows(await connect(target))).toEqual(await allRows(client))
})

it('a backup while others write shows one moment', async () => {
  const { url, client } = await migrated()
  const writer = await connect(url)
  // More than the streams between PostgreSQL and the file can hold.
  await client.query(`INSERT INTO lanes (lane) VALUES ('l')`)
  const put = async (sql: typeof client) => {
    await sql.query('BEGIN')
    await sql.query(`UPDATE lanes SET last_seq = last_seq + 1 WHERE lane = 'l'`)
    await sql.query(
      `INSERT INTO deliveries (lane, seq, bucket_id, api, app_id, tenant_key, body_sealed)
       SELECT 'l', last_seq, 1, 'update_progress', 'a', 't', $1 FROM lanes`,
      [randomBytes(100_000)],
    )
    await sql.query('COMMIT')
  }
  for (let each = 0; each < 80; each += 1) await put(client)
  let during = 0
  const parts: Buffer[] = []
  const out = new PassThrough({ highWaterMark: 1 })
  const read = async () => {
    for await (const chunk of out as AsyncIterable<Buffer>) {
      parts.push(chunk)
      during += 1
      await put(writer)
    }
  }
  await Promise.all([writeBackup({ url, release: '0.0.0' }, out), read()])
  expect(during).toBeGreaterThan(5)
  const file = join(await folder(), 'b')
  await writeFile(file, Buffer.concat(parts))
  const target = await nothing()
  await restore(file, target)
  const found = await (await connect(target)).query(
    'SELECT last_seq, (SELECT count(*)::int FROM deliveries) AS n FROM lanes',
  )
  expect(found.rows).toEqual([{ last_seq: 80, n: 80 }])
})

describe('the file', () => {
  it('is for its owner only, and is there whole or not at all', async () => {
    const { url } = await migrated()
    const file = join(await folder(), 'x')
    await writeFile(`${file}.partial`, 'of a killed process', { mode: 0o644 })
    await writeFile(file, 'the one before')
    const fail = writeWhole(file, async (out) => {
      out.write('half')
      throw new Error('the disk is full')
    })
    await expect(fail).rejects.toThrow('the disk is full')
    expect(await readFile(file, 'utf8')).toBe('the one before')
    await expect(stat(`${file}.partial`)).rejects.toThrow('ENOENT')
    await writeWhole(file, (out) => writeBackup({ url, release: '0' }, out))
    expect((await stat(file)).mode & 0o777).toBe(0o600)
  })

  it('of two that write it at once, the one whose part was taken gives up, and leaves the other alone', async () => {
    const file = join(await folder(), 'x')
    await writeFile(file, 'the one before')
    let goOn: () => void = () => undefined
    const begun = new Promise<void>((resolve) => {
      goOn = resolve
    })
    let second: Promise<unknown> = Promise.resolve()
    const first = writeWhole(file, async (out) => {
      out.write('first')
      second = writeWhole(file, async (other) => {
        other.write('sec')
        goOn()
        await first.catch(() => undefined)
        expect(await readFile(file, 'utf8')).toBe('the one before')
        await pipeline(['ond'], other)
      })
      await begun
      await pipeline([' one'], out)
    })
    await expect(first).rejects.toThrow('another process')
    await second
    expect(await readFile(file, 'utf8')).toBe('second')
  })

  it('takes the place of no folder, device or pipe', async () => {
    const place = await folder()
    execFileSync('mkfifo', [join(place, 'pipe')])
    for (const target of [place, join(place, 'pipe'), '/dev/null']) {
      await expect(writeWhole(target, async () => undefined)).rejects.toThrow('is not a file')
      expect((await stat(target)).isFile()).toBe(false)
    }
  })

  it('is a tar file that other programs read', async () => {
    const { url, client } = await migrated()
    await fillAll(client)
    const listed = execFileSync('tar', ['-tzf', await backUp(url)], { encoding: 'utf8' })
      .trim()
      .split('\n')
    expect([listed[0], listed.at(-1)]).toEqual(['manifest.json', 'sums.json'])
    expect(listed).toContain('tables/orders/000001')
  })

  it('is not written where no restore could bring back what a part by hand holds', async () => {
    const { url, client } = await migrated()
    await client.query(
      `CREATE TABLE by_hand PARTITION OF archived_orders FOR VALUES FROM ('2020-01-01') TO ('2021-01-01')`,
    )
    await expect(backUp(url)).rejects.toThrow('by_hand is a part of archived_orders that holds no month')
  })

  it('a signal leaves nothing behind', async () => {
    const { url } = await migrated()
    const file = join(await folder(), 'x')
    const told = AbortSignal.abort(new Error('ended by SIGTERM'))
    await expect(writeWhole(file, (out) => writeBackup({ url, release: '0', signal: told }, out))).rejects.toThrow()
    await expect(stat(`${file}.partial`)).rejects.toThrow('ENOENT')
  })
})

describe('is refused before anything is written:', () => {
  async function good(): Promise<Buffer> {
    const { url, client } = await migrated()
    await fillAll(client)
    await client.query(`INSERT INTO seen_events (hash) SELECT sha256(i::text::bytea) FROM generate_series(1, 30000) i`)
    return readFile(await backUp(url))
  }

  async function refusal(bytes: Buffer): Promise<string> {
    const file = join(await folder(), 'b')
    await writeFile(file, bytes)
    const target = await nothing()
    const said = await restore(file, target).then(
      () => 'restored',
      (failure: Error) => failure.message.replace(file, 'FILE'),
    )
    expect(await tablesOf(target)).toEqual([])
    return said
  }

  it('a file that was cut off, wherever', async () => {
    const bytes = await good()
    for (const part of [0.3, 0.9, 1]) {
      const cut = bytes.subarray(0, Math.min(Math.floor(bytes.length * part), bytes.length - 1))
      expect(await refusal(cut)).toBe('FILE is not whole: its end is missing')
    }
  })

  it('a file that was cut off and closed again', async () => {
    const tar = gunzipSync(await good())
    const end = tar.indexOf('sums.json')
    expect(await refusal(gzipSync(Buffer.concat([tar.subarray(0, end), Buffer.alloc(1024)])))).toBe(
      'FILE is not whole: its end is missing',
    )
  })

  it('a file with one bit changed, wherever', async () => {
    const bytes = await good()
    for (const part of [0.2, 0.5, 0.8]) {
      const changed = Buffer.from(bytes)
      const at = Math.floor(bytes.length * part)
      changed[at] = (changed[at] ?? 0) ^ 4
      expect(await refusal(changed)).toMatch(/^FILE is (damaged|not whole)/)
    }
  })

  it('rows that were changed and packed again', async () => {
    const tar = gunzipSync(await good())
    const at = tar.indexOf('quotes')
    tar.write('QUOTES', at)
    expect(await refusal(gzipSync(tar))).toBe('FILE is damaged: what it holds does not agree with its checksums')
  })

  it.each([
    ['text', Buffer.from('SELECT 1;')],
    ['an empty file', Buffer.alloc(0)],
    ['another compressed file', gzipSync('hello, this is no tar file. '.repeat(100))],
  ])('%s', async (_name, bytes) => {
    expect(await refusal(bytes)).toMatch(/^FILE is (not a backup|not whole)/)
  })

  it('another tar file', async () => {
    const path = await folder()
    await writeFile(join(path, 'a'), 'x')
    const bytes = execFileSync('tar', ['-czf', '-', '-C', path, 'a'])
    expect(await refusal(bytes)).toBe('FILE is not a backup that `bgc backup` wrote')
  })

  it('a file of a later format, or of a later schema', async () => {
    const tar = gunzipSync(await good())
    const later = Buffer.from(tar)
    later.write('"format":2', later.indexOf('"format":1'))
    expect(await refusal(gzipSync(later))).toContain('was written by bgc-bridge 0.0.0 in a format (2)')
    const file = await backUp((await migrated()).url)
    await expect(checkBackup(file, known.slice(0, -1))).rejects.toThrow(
      `whose schema is later than that of this release (${known.at(-1)}): restore it with bgc-bridge 0.0.0 or later`,
    )
  })

  it('a file that is not there', async () => {
    await expect(checkBackup('/nowhere/x', known)).rejects.toThrow('/nowhere/x: there is no such file')
  })
})

describe('a database', () => {
  it.each(facts)('with anything in %s is refused, and stays as it is', async (table) => {
    const { url, client } = await migrated()
    const file = await backUp(url)
    await fillAll(client, 1)
    for (const other of kept.filter((each) => each !== table)) await client.query(`TRUNCATE ${other}`)
    await client.query('TRUNCATE process_leases')
    const before = await allRows(client)
    await expect(restore(file, url)).rejects.toThrow(`the database is not empty (${table})`)
    expect(await allRows(client)).toEqual(before)
  })

  it('where a service was started in vain takes a backup, in place of what that wrote', async () => {
    const { url, client } = await migrated()
    await fillAll(client)
    const target = await migrated()
    await fillAll(target.client, 1)
    await target.client.query(`TRUNCATE ${facts.join(', ')}`)
    await target.client.query(`UPDATE process_leases SET beat_at = now() - interval '1 minute'`)
    await restore(await backUp(url), target.url)
    expect(await allRows(target.client)).toEqual(await allRows(client))
  })

  it('that a service uses is refused', async () => {
    const { url, client } = await migrated()
    const file = await backUp(url)
    await client.query(
      `INSERT INTO process_leases (name, owner, host, pid, beat_at) VALUES ('queue', gen_random_uuid(), 'h', 7, now())`,
    )
    await expect(restore(file, url)).rejects.toThrow('a service uses this database: process 7 on h')
    await client.query('TRUNCATE process_leases')
    await client.query(`SET application_name = 'bgc-bridge'`)
    await expect(restore(file, url)).rejects.toThrow('is connected to this database')
    await client.query(`SET application_name = 'psql'`)
    const service = openDatabase({ url, log: createLogger('silent'), keyMarks: ['0123ab', '4567cd'] })
    await service.pool.query('SELECT 1')
    await expect(restore(file, url)).rejects.toThrow('is connected to this database')
    await service.stop()
    await restore(file, url)
  })
})

describe('of an earlier release', () => {
  /** The migrations of this release, and one more that reads the rows that are there. */
  async function nextRelease(): Promise<string> {
    const next = join(await folder(), 'migrations')
    await cp(MIGRATIONS, next, { recursive: true })
    await mkdir(join(next, '20990101000000_next'))
    await writeFile(
      join(next, '20990101000000_next', 'migration.sql'),
      `ALTER TABLE "tenants" ADD COLUMN "seen" TEXT;\nUPDATE "tenants" SET "seen" = "state" || '!';\nALTER TABLE "tenants" ALTER COLUMN "seen" SET NOT NULL;`,
    )
    return next
  }

  it.each(['an empty database', 'a database at the schema of the later one'])(
    'comes into %s as it was, and is then migrated',
    async (into) => {
      const { url, client } = await migrated()
      await fillAll(client)
      const file = await backUp(url)
      const next = await nextRelease()
      const target = await nothing()
      if (into !== 'an empty database') await migrate(target, { folder: next })
      expect((await restore(file, target, { folder: next })).applied).toEqual(['20990101000000_next'])
      const restored = await connect(target)
      expect((await restored.query('SELECT bool_and(seen = state || $1) AS all FROM tenants', ['!'])).rows).toEqual([
        { all: true },
      ])
      expect(await pendingMigrations(target, { folder: next })).toEqual([])
    },
  )

  it('a database of a later release is refused, by a restore and by a start', async () => {
    const { url } = await migrated()
    const file = await backUp(url)
    const target = await nothing()
    await migrate(target, { folder: await nextRelease() })
    await expect(restore(file, target)).rejects.toThrow(
      'was written by a later release of bgc-bridge (it has 20990101000000_next)',
    )
    await expect(migrate(target)).rejects.toThrow('was written by a later release')
  })
})

it('a process that is killed in the middle leaves an empty database, and the next one succeeds', async () => {
  const { url, client } = await migrated()
  await fillAll(client)
  const [file, target] = [await backUp(url), await nothing()]
  const env = { PATH: process.env.PATH ?? '', HOME: process.env.HOME ?? '' }
  const restoring = startScript(script, ['restore', file, target], env)
  await restoring.untilOut('loaded')
  restoring.child.kill('SIGKILL')
  await restoring.ended
  const left = await connect(target)
  expect(Object.values(await allRows(left)).flat()).toEqual([])
  await restore(file, target)
  expect(await allRows(left)).toEqual(await allRows(client))
})

it('what the end of a restore throws takes everything back', async () => {
  const { url, client } = await migrated()
  await fillAll(client)
  const [file, target] = [await backUp(url), await nothing()]
  const finish = () => Promise.reject(new Error('the keys do not fit'))
  await expect(restore(file, target, { finish })).rejects.toThrow('the keys do not fit')
  expect(Object.values(await allRows(await connect(target))).flat()).toEqual([])
})

it('200 000 rows pass through little memory, both ways', async () => {
  const { url, client } = await migrated()
  await client.query(
    `INSERT INTO seen_events (hash) SELECT decode(repeat(md5(i::text), 16), 'hex') FROM generate_series(1, 200000) i`,
  )
  const env = { PATH: process.env.PATH ?? '', HOME: process.env.HOME ?? '', NODE_OPTIONS: '--expose-gc' }
  const file = join(await folder(), 'b')
  const said = await startScript(script, ['measure', file, url, await nothing()], env).ended
  expect(said.err).toBe('')
  const grown = JSON.parse(said.out) as { rows: number; write: number; check: number; load: number }
  expect(grown.rows).toBe(200_000)
  // The rows are more than 100 MB as text.
  for (const most of [grown.write, grown.check, grown.load]) expect(most).toBeLessThan(50e6)
})

import { access, mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, inject, it, onTestFinished } from 'vitest'
import { createDataKey } from '../../src/platform/crypto/data-key.js'
import { createSealer } from '../../src/platform/crypto/sealer.js'
import { migrate } from '../../src/platform/database/migrate.js'
import { startEmbeddedPostgres } from '../../src/platform/embedded/postgres.js'
import { processStart } from '../../src/platform/embedded/process.js'
import { query } from '../platform/embedded-kit.js'
import { freshSchema } from '../support/postgres.js'
import { complete, startScript } from './support.js'

const script = 'test/cli/with-database-script.ts'
const keys = (byte: number) => `k${byte}:${Buffer.alloc(32, byte).toString('base64')}`
const env = { ...complete, BGC_ENCRYPTION_KEYS: keys(7) }
const run = (more: Record<string, string>) => startScript(script, [], { ...env, ...more }).ended

async function folderOfData(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'bgc-cli-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  return join(folder, 'data')
}

/** A data folder that a service has used, and its server while the test needs it. */
async function usedFolder() {
  const BGC_DATA_DIR = await folderOfData()
  const server = await startEmbeddedPostgres({ dataDir: BGC_DATA_DIR })
  onTestFinished(() => server.stop())
  await migrate(server.url)
  return { BGC_DATA_DIR, server, port: Number(new URL(server.url).port) }
}

it('works on the database of DATABASE_URL, with the keys and the apps of the service', async () => {
  const DATABASE_URL = freshSchema(inject('databaseUrl'))
  await migrate(DATABASE_URL)
  const { code, out, err } = await run({ DATABASE_URL })
  expect([code, err]).toEqual([0, ''])
  const port = Number(new URL(DATABASE_URL).port)
  expect(JSON.parse(out)).toEqual({ accounts: 0, port, sealed: true, app: 'cli_test0001' })
})

it('joins the embedded server that a service runs, and leaves it running', async () => {
  const { BGC_DATA_DIR, server, port } = await usedFolder()
  const { code, out, err } = await run({ BGC_DATA_DIR })
  expect([code, err]).toEqual([0, ''])
  expect(JSON.parse(out)).toMatchObject({ port })
  expect(await query(server.url, 'SELECT 1 AS one')).toEqual([{ one: 1 }])
  await access(join(BGC_DATA_DIR, 'lock'))
})

it('starts the embedded server where none runs, for as long as the command takes', async () => {
  const { BGC_DATA_DIR, server } = await usedFolder()
  await server.stop()
  const { code, out, err } = await run({ BGC_DATA_DIR })
  expect([code, err]).toEqual([0, ''])
  expect(JSON.parse(out)).toMatchObject({ accounts: 0 })
  expect(await readdir(BGC_DATA_DIR)).not.toContain('lock')
  expect(await readdir(join(BGC_DATA_DIR, 'postgres'))).not.toContain('postmaster.pid')
})

it('lets two commands share the server that the first of them started', async () => {
  const { BGC_DATA_DIR, server } = await usedFolder()
  await server.stop()
  const first = startScript(script, ['wait'], { ...env, BGC_DATA_DIR })
  const said = await first.untilOut('waiting')
  const second = await run({ BGC_DATA_DIR })
  expect([second.code, second.out.trim()]).toEqual([0, said.split('\n')[0]])
  first.child.kill('SIGTERM')
  await first.ended
})

it('is ended by a signal with a stopped server and a free folder', async () => {
  const { BGC_DATA_DIR, server } = await usedFolder()
  await server.stop()
  const command = startScript(script, ['wait'], { ...env, BGC_DATA_DIR })
  await command.untilOut('waiting')
  const pid = Number((await readFile(join(BGC_DATA_DIR, 'postgres/postmaster.pid'), 'utf8')).split('\n')[0])
  command.child.kill('SIGINT')
  const { code, err } = await command.ended
  expect([code, err]).toEqual([1, 'ended by SIGINT: what was done until then stays, and nothing was left half done\n'])
  expect(await processStart(pid)).toBeNull()
  expect(await readdir(BGC_DATA_DIR)).not.toContain('lock')
})

it('does not make a database where there is none', async () => {
  const BGC_DATA_DIR = await folderOfData()
  const { code, out, err } = await run({ BGC_DATA_DIR })
  expect([code, out]).toEqual([1, ''])
  expect(err).toContain(`there is no database in ${BGC_DATA_DIR}`)
  expect(err).toContain('`bgc migrate`')
  await expect(access(BGC_DATA_DIR)).rejects.toThrow('ENOENT')
})

it('refuses a database that waits for migrations, and names the command', async () => {
  const { code, out, err } = await run({ DATABASE_URL: freshSchema(inject('databaseUrl')) })
  expect([code, out]).toEqual([1, ''])
  expect(err).toMatch(
    /^the database is not at the schema of this release, which lacks \d+_init.*: run `bgc migrate` first\n$/,
  )
})

it.each([
  ['others than the service has', keys(8)],
  ['none', ''],
])('refuses when BGC_ENCRYPTION_KEYS has %s', async (_, BGC_ENCRYPTION_KEYS) => {
  const DATABASE_URL = freshSchema(inject('databaseUrl'))
  await migrate(DATABASE_URL)
  const url = new URL(DATABASE_URL)
  const schema = url.searchParams.get('schema')
  url.searchParams.delete('schema')
  const { wrapped } = createDataKey(createSealer([{ id: 'k7', key: Buffer.alloc(32, 7) }]), '101')
  await query(
    url.href,
    `INSERT INTO "${schema}".orders (background_check_id, app_id, tenant_key, state, data_key)
     VALUES ('101', 'cli_a', 'tk_a', 'canceled', '\\x${wrapped.toString('hex')}')`,
  )
  const { code, out, err } = await run({ DATABASE_URL, BGC_ENCRYPTION_KEYS })
  expect([code, out]).toEqual([1, ''])
  expect(err).toBe(
    'the keys do not fit this database; give the command those of the service (BGC_ENCRYPTION_KEYS lacks the key "k7" that a value was sealed with)\n',
  )
  expect((await run({ DATABASE_URL })).code).toBe(0)
})

it('lists every complaint about the environment, and ends with 78', async () => {
  const { code, err } = await run({ DATABASE_URL: 'mysql://u:secretpw@h/x', BGC_NONSENSE: '1' })
  expect(code).toBe(78)
  for (const name of ['DATABASE_URL', 'BGC_NONSENSE']) expect(err).toContain(`  - ${name}: `)
  expect(err).not.toContain('secretpw')
})

import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, inject, test } from 'vitest'
import { startApp } from '../../src/app.js'
import { openDatabase } from '../../src/platform/database/database.js'
import { MIGRATIONS, migrate } from '../../src/platform/database/migrate.js'
import { createLogger } from '../../src/platform/logger.js'
import { startWorld, type World } from '../story/world.js'
import { eventually } from '../support/eventually.js'
import { freshSchema } from '../support/postgres.js'

const cleanups: Array<() => Promise<unknown>> = []

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup()
})

const log = createLogger('silent')

test('a process of an earlier release works on while a later one adds to the schema, and is refused when it starts again', async () => {
  const url = freshSchema(inject('databaseUrl'))
  const world = await startWorld({ env: { DATABASE_URL: url } })
  cleanups.push(() => world.stop())
  // Statements that were prepared before are used after.
  await liveOne(world)
  const migrated = await migrate(url, { folder: await laterRelease(url) })
  expect(migrated).toEqual(['29990101000000_later'])
  await liveOne(world)
  expect((await fetch(`${world.url}/readyz`)).status).toBe(200)
  expect((await world.api('GET', '/v1/orders')).status).toBe(200)
  expect(world.feishu.checkPromises()).toEqual([])
  expect(world.log.filter((line) => line.includes('"loop.failed"'))).toEqual([])

  for (const autoMigrate of [true, false]) {
    await expect(startApp({ ...world.config, autoMigrate }, log)).rejects.toThrow(
      'written by a later release of bgc-bridge (it has 29990101000000_later)',
    )
  }
})

test('every migration since the first only adds, so that running processes of the release before it work on', async () => {
  const [, ...later] = (await readdir(MIGRATIONS)).filter((name) => /^\d/.test(name)).toSorted()
  expect(later.length).toBeGreaterThan(0)
  for (const name of later) {
    const sql = await readFile(join(MIGRATIONS, name, 'migration.sql'), 'utf8')
    expect(statementsOf(sql).filter(takesAway), name).toEqual([])
  }
})

test.each([
  ['DROP TABLE "orders"', true],
  ['ALTER TABLE "orders" DROP COLUMN "state"', true],
  ['ALTER TABLE "orders" RENAME COLUMN "state" TO "status"', true],
  ['ALTER TABLE "orders" ALTER COLUMN "state" TYPE integer', true],
  ['ALTER TABLE "orders" ALTER COLUMN "state" SET DATA TYPE integer', true],
  ['ALTER TABLE "orders" ALTER COLUMN "state" SET NOT NULL', true],
  ['ALTER TABLE "orders" ADD COLUMN "must" TEXT NOT NULL', true],
  ['ALTER TABLE "orders" ADD COLUMN "one" TEXT, ADD COLUMN "must" TEXT NOT NULL', true],
  [`ALTER TABLE "orders" ADD COLUMN "may" TEXT NOT NULL DEFAULT ''`, false],
  ['ALTER TABLE "orders" ADD COLUMN "may" TEXT', false],
  ['ALTER TABLE "orders" ADD COLUMN "may" BIGSERIAL NOT NULL', false],
  ['ALTER TABLE "orders" ALTER COLUMN "may" DROP NOT NULL', false],
  ['DROP INDEX "orders_old"', false],
  ['CREATE TABLE "others" ("id" TEXT NOT NULL)', false],
])('%s: takes away from those who run: %s', (sql, expected) => {
  expect(statementsOf(`${sql};`).some(takesAway)).toBe(expected)
})

/** A check from its order to its result. */
async function liveOne({ feishu, vendor }: World): Promise<void> {
  vendor.setScenario(() => [
    { afterMs: 1, stage: { id: 'one', name: 'one' } },
    { afterMs: 1, result: { result: 'clear', reports: [{ name: 'f.pdf' }] } },
  ])
  const customer = { appId: 'cli_custom0001', tenantKey: 'tk_custom' }
  const { accountId } = feishu.createAccount(customer)
  const { backgroundCheckId } = feishu.createOrder({ ...customer, accountId })
  await eventually(() => feishu.order(backgroundCheckId).status).toBe('completed')
}

/** The migrations of this release and one more, which adds a column to every table. */
async function laterRelease(url: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'bgc-later-'))
  cleanups.push(() => rm(folder, { recursive: true, force: true }))
  await cp(MIGRATIONS, folder, { recursive: true })
  const database = openDatabase({ url, log })
  const { rows } = await database.pool.query<{ name: string }>(
    `SELECT quote_ident(table_name) AS name FROM information_schema.tables
     WHERE table_schema = current_schema() AND table_type = 'BASE TABLE' AND left(table_name, 1) <> '_'`,
  )
  await database.stop()
  const added = rows.map(({ name }) => `ALTER TABLE ${name} ADD COLUMN of_later TEXT DEFAULT 'later';`)
  expect(added.length).toBeGreaterThan(20)
  await mkdir(join(folder, '29990101000000_later'))
  await writeFile(join(folder, '29990101000000_later', 'migration.sql'), added.join('\n'))
  return folder
}

function statementsOf(sql: string): string[] {
  const text = sql.replaceAll(/--.*$/gm, '').replaceAll(/\s+/g, ' ')
  return text.split(';').flatMap((statement) => statement.trim() || [])
}

/** Whether what an earlier release reads or writes would be gone, of another kind, or lack what it must have. */
function takesAway(statement: string): boolean {
  if (/^DROP (TABLE|VIEW|TYPE|FUNCTION|SCHEMA)/i.test(statement)) return true
  if (!/^ALTER TABLE/i.test(statement)) return false
  const changes = statement.split(/,(?= ?(?:ADD|ALTER|DROP|RENAME) )/i)
  return changes.some(
    (change) =>
      /\b(DROP COLUMN|RENAME|SET NOT NULL)\b|\bALTER COLUMN \S+ (SET DATA )?TYPE\b/i.test(change) ||
      (/\bADD COLUMN\b.*\bNOT NULL\b/i.test(change) && !/\b(DEFAULT|GENERATED|\w*SERIAL)\b/i.test(change)),
  )
}

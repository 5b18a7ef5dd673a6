import { afterAll, expect, inject, test } from 'vitest'
import { openPool } from '../../src/platform/database/pool.js'

const lost: Error[] = []
const config = { connectionString: inject('databaseUrl'), max: 2, application_name: 'pool-test' }
const pool = openPool(config, (failure) => lost.push(failure))

afterAll(() => pool.end())

async function endConnections(): Promise<void> {
  const other = openPool({ ...config, application_name: 'pool-test-other' })
  await other.query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'pool-test'`)
  await other.end()
}

test('a connection that the server ends is told of and replaced, and the process lives', async () => {
  await pool.query('SELECT 1')
  await endConnections()
  await expect.poll(() => lost.length, { timeout: 10_000 }).toBeGreaterThan(0)
  expect((await pool.query('SELECT 2 AS n')).rows).toEqual([{ n: 2 }])
})

test('so is one that breaks while it is handed out', async () => {
  const before = lost.length
  const client = await pool.connect()
  await endConnections()
  await expect.poll(() => lost.length, { timeout: 10_000 }).toBeGreaterThan(before)
  client.release(true)
  expect((await pool.query('SELECT 3 AS n')).rows).toEqual([{ n: 3 }])
})

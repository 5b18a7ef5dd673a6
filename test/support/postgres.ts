import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import type { TestProject } from 'vitest/node'
import { startEmbeddedPostgres } from '../../src/platform/embedded/postgres.js'

declare module 'vitest' {
  export interface ProvidedContext {
    databaseUrl: string
  }
}

/**
 * One PostgreSQL for the whole run; each test file works in schemas of its own. It waits for no disk: what a test kills is a
 * process, and what that wrote is the machine's to keep.
 */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const dataDir = await mkdtemp(join(tmpdir(), 'bgc-test-'))
  const server = await startEmbeddedPostgres({ dataDir })
  await waitForNoDisk(server.url).catch(async (failure: unknown) => {
    await server.stop()
    throw failure
  })
  project.provide('databaseUrl', server.url)
  return async () => {
    await server.stop()
    await rm(dataDir, { recursive: true, force: true })
  }
}

async function waitForNoDisk(connectionString: string): Promise<void> {
  const client = new pg.Client({ connectionString })
  await client.connect()
  await client.query('ALTER SYSTEM SET fsync = off')
  await client.query('SELECT pg_reload_conf()')
  await client.end()
}

/** The URL of a new, empty schema. */
export function freshSchema(databaseUrl: string): string {
  const url = new URL(databaseUrl)
  url.searchParams.set('schema', `t_${randomBytes(6).toString('hex')}`)
  return url.href
}

import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, inject, it } from 'vitest'
import { listMigrations, MIGRATIONS } from '../../src/platform/database/migrate.js'
import { freshSchema } from '../support/postgres.js'
import { bare, run } from './support.js'

const all = await listMigrations(MIGRATIONS)

it('applies what is missing, without any secret of Feishu or the vendor, and then nothing', async () => {
  const env = { ...bare, DATABASE_URL: freshSchema(inject('databaseUrl')) }
  const first = await run(['migrate'], env)
  expect(first).toEqual({
    code: 0,
    err: '',
    out: `the database of DATABASE_URL:\n${all.map((name) => `  applied ${name}\n`).join('')}`,
  })
  const second = await run(['migrate'], env)
  expect(second.out).toBe('the database of DATABASE_URL is up to date: nothing to apply\n')
})

it('speaks JSON, and makes the embedded database where there is none', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'bgc-cli-'))
  const { code, out, err } = await run(['migrate', '--json'], { ...bare, BGC_DATA_DIR: join(folder, 'data') })
  expect([code, err]).toEqual([0, ''])
  expect(JSON.parse(out)).toEqual({ applied: all })
  expect(await readdir(join(folder, 'data'))).not.toContain('lock')
  await rm(folder, { recursive: true })
})

it.each([
  ['postgresql://u:secretpw@127.0.0.1:1/x', 1, 'cannot be reached: nobody listens there'],
  ['mysql://u:secretpw@127.0.0.1/x', 78, 'DATABASE_URL: expected a URL'],
])('says what is wrong with %s', async (DATABASE_URL, expected, complaint) => {
  const { code, out, err } = await run(['migrate'], { ...bare, DATABASE_URL })
  expect([code, out]).toEqual([expected, ''])
  expect(err).toContain(complaint)
  expect(err).not.toContain('secretpw')
})

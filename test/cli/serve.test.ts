import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { listMigrations, MIGRATIONS, migrate } from '../../src/platform/database/migrate.js'
import { freshSchema } from '../support/postgres.js'
import { bare, complete, run, start } from './support.js'

let folder = ''

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bgc-cli-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

it('lists every complaint about the environment, and ends with 78', async () => {
  const { code, out, err } = await run(['serve'], { ...bare, PORT: 'x', BGC_NONSENSE: '1' })
  expect([code, out]).toEqual([78, ''])
  for (const name of ['PORT', 'BGC_NONSENSE', 'FEISHU_APP_ID', 'VENDOR_API_KEY']) expect(err).toContain(`  - ${name}: `)
})

describe('a start that fails', () => {
  const failing = async (env: Record<string, string>) => {
    const { code, err } = await run(['serve'], { ...complete, ...env })
    expect(code).toBe(1)
    expect(err.trimEnd().split('\n')).toHaveLength(1)
    expect(err).not.toContain('secretpw')
    return err
  }

  it('says that the database refuses connections', async () => {
    const err = await failing({ DATABASE_URL: 'postgresql://u:secretpw@127.0.0.1:1/x' })
    expect(err).toContain(
      'bgc-bridge cannot start: the database at 127.0.0.1:1 cannot be reached: nobody listens there',
    )
  })

  it('says that nobody brings the database to the schema of this release', async () => {
    const DATABASE_URL = freshSchema(inject('databaseUrl'))
    const BGC_AUTO_MIGRATE = 'false'
    const [first = '', ...others] = await listMigrations(MIGRATIONS)
    await migrate(DATABASE_URL, { only: [first] })
    expect(await failing({ DATABASE_URL, BGC_AUTO_MIGRATE })).toContain(`the database lacks ${others.join(', ')}, and`)
    await migrate(DATABASE_URL)
    const service = start(['serve'], { ...complete, DATABASE_URL, BGC_AUTO_MIGRATE })
    await service.untilOut('app.started')
    service.child.kill('SIGTERM')
    expect((await service.ended).code).toBe(0)
  })

  it('says that the port is taken', async () => {
    const holder = createServer()
    await new Promise<void>((resolve) => holder.listen(0, '127.0.0.1', resolve))
    const address = holder.address()
    const port = String(typeof address === 'object' ? address?.port : '')
    const DATABASE_URL = freshSchema(inject('databaseUrl'))
    expect(await failing({ DATABASE_URL, PORT: port })).toContain(`port ${port} on 127.0.0.1 is taken`)
    holder.close()
  })

  it('says that another process has the database for itself', async () => {
    const DATABASE_URL = freshSchema(inject('databaseUrl'))
    const first = start(['serve'], { ...complete, DATABASE_URL })
    await first.untilOut('app.started')
    expect(await failing({ DATABASE_URL })).toContain('Another process is running')
    first.child.kill('SIGTERM')
    expect((await first.ended).code).toBe(0)
  })

  it('says who uses the data folder, which a signal frees', async () => {
    const env = { ...complete, BGC_DATA_DIR: join(folder, 'data') }
    const first = start(['serve'], env)
    await first.untilOut('app.started')
    expect(await failing(env)).toContain(`is in use by process ${first.child.pid}`)
    first.child.kill('SIGINT')
    expect((await first.ended).code).toBe(0)
    const second = start(['serve'], env)
    await second.untilOut('app.started')
    second.child.kill('SIGTERM')
    expect((await second.ended).code).toBe(0)
  })
})

it('ends at a signal although the database never answers', async () => {
  const silent = createServer((socket) => socket.on('error', () => undefined))
  const asked = new Promise((resolve) => silent.once('connection', resolve))
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve))
  const address = silent.address()
  const port = typeof address === 'object' ? address?.port : ''
  const env = { ...complete, DATABASE_URL: `postgresql://u:p@127.0.0.1:${port}/x`, BGC_STOP_TIMEOUT_MS: '200' }
  const service = start(['serve'], env)
  await asked
  service.child.kill('SIGTERM')
  const { code, err } = await service.ended
  expect([code, err]).toEqual([1, 'bgc-bridge was told to stop before it was up\n'])
  silent.close()
})

import { mkdir, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import type { Found } from '../../src/cli/doctor/check.js'
import type { Examined } from '../../src/cli/doctor/run.js'
import { receiveOrder } from '../../src/flow/orders/receive.js'
import type { SandboxFeishu, SandboxVendor } from '../../src/sandbox/index.js'
import { customApp, startSandboxes, startWorld, vendorKey, type World } from '../story/world.js'
import { orderToPlace } from '../support/order-to-place.js'
import { startRedis } from '../support/redis.js'
import { type CliGround, layCliGround, sealer } from './ground.js'
import { bare, run, start } from './support.js'

const key = (id: string, fill: number) => `${id}:${Buffer.alloc(32, fill).toString('base64')}`

describe('bgc doctor', () => {
  let feishu: SandboxFeishu
  let vendor: SandboxVendor
  let service: World

  beforeAll(async () => {
    const env = {
      FEISHU_APPS_FILE: '',
      FEISHU_APP_ID: customApp.appId,
      FEISHU_APP_SECRET: customApp.appSecret,
      FEISHU_ENCRYPT_KEY: customApp.encryptKey,
      FEISHU_VERIFICATION_TOKEN: customApp.verificationToken,
    }
    service = await startWorld({ env, ticket: 'none' })
    ;({ feishu, vendor } = await startSandboxes())
  })

  afterAll(async () => {
    await service.stop()
    await Promise.all([feishu.stop(), vendor.stop()])
  })

  function environmentOf(ground: CliGround): Record<string, string> {
    return {
      ...bare,
      DATABASE_URL: ground.env['DATABASE_URL'] ?? '',
      BGC_API_KEYS: 'ops:a-secret-of-24-characters',
      BGC_ENCRYPTION_KEYS: key('k1', 7),
      FEISHU_BASE_URL: feishu.url,
      FEISHU_APP_ID: customApp.appId,
      FEISHU_APP_SECRET: customApp.appSecret,
      FEISHU_ENCRYPT_KEY: customApp.encryptKey,
      FEISHU_VERIFICATION_TOKEN: customApp.verificationToken,
      VENDOR_BASE_URL: vendor.url,
      VENDOR_API_KEY: vendorKey,
    }
  }

  async function examine(env: Record<string, string>): Promise<{ code: number | null; found: Map<string, Found[]> }> {
    const ended = await run(['doctor', '--json', '--event-url', service.url], env)
    expect(ended.out + ended.err).not.toMatch(
      /custom-app-secret|custom-encrypt-key|vendor-key-of-the-sandbox|a-secret-of/,
    )
    const all: Examined[] = JSON.parse(ended.out)
    return { code: ended.code, found: new Map(all.map(({ check, found }) => [check, found])) }
  }

  /** What was not as it should be, by check. */
  async function complaints(env: Record<string, string>): Promise<Record<string, string>> {
    const { code, found } = await examine(env)
    const bad = [...found].flatMap(([check, all]) =>
      all.flatMap((each) => ('problem' in each ? [[check, `${each.kind}: ${each.problem} → ${each.remedy}`]] : [])),
    )
    expect(code, JSON.stringify(bad)).toBe(bad.some(([, text]) => text?.startsWith('wrong')) ? 1 : 0)
    return Object.fromEntries(bad)
  }

  it('finds nothing where all is well, and says what it looked at', async () => {
    const ended = await run(['doctor', '--event-url', service.url], environmentOf(await layCliGround()))
    expect(ended.code, ended.out).toBe(0)
    for (const check of [
      'configuration',
      'database',
      'migrations',
      'encryption keys',
      'clock',
      'Feishu token',
      'work',
      'event URL',
      'vendor',
    ]) {
      expect(ended.out).toContain(`ok     ${check}: `)
    }
    expect(ended.out).toContain('-      Redis: REDIS_URL is not set')
  })

  it('goes on to its end when nobody reads any more', async () => {
    const env = environmentOf(await layCliGround())
    const running = start(['doctor', '--event-url', service.url], env)
    running.child.stdout?.once('data', () => running.child.stdout?.destroy())
    expect(await running.ended).toMatchObject({ code: 0, err: '' })
  })

  it('names every wrong setting at once', async () => {
    const env = { ...environmentOf(await layCliGround()), PORT: 'http', BGC_SURPRISE: '1' }
    const { code, found } = await examine(env)
    expect(code).toBe(1)
    expect(JSON.stringify(found.get('configuration'))).toMatch(/PORT: expected a port.*BGC_SURPRISE: not a known name/)
  })

  it('finds what a service in use should have', async () => {
    const { BGC_API_KEYS: _, BGC_ENCRYPTION_KEYS: __, ...env } = environmentOf(await layCliGround())
    const found = await examine({ ...env, BGC_ROLES: 'receiver' })
    expect(found.code).toBe(0)
    const said = JSON.stringify(found.found.get('configuration'))
    expect(said).toContain('BGC_API_KEYS has no key')
    expect(said).toContain('BGC_ENCRYPTION_KEYS has no key')
    expect(said).toContain('poller, sync')
  })

  it('finds a database that is not there, and examines the rest all the same', async () => {
    const env = { ...environmentOf(await layCliGround()), DATABASE_URL: 'postgresql://bgc@127.0.0.1:1/bgc' }
    const { code, found } = await examine(env)
    expect(code).toBe(1)
    expect(found.get('database')).toEqual([
      expect.objectContaining({ kind: 'wrong', problem: expect.stringContaining('nobody listens there') }),
    ])
    expect(found.get('vendor')?.[0]?.kind).toBe('ok')
    expect(found.get('work')).toEqual([{ kind: 'skipped', detail: 'the database comes first' }])
  })

  it('finds a data folder that cannot be used, and examines the rest all the same', async () => {
    const ground = await layCliGround()
    await mkdir(join(ground.folder, 'postgres'))
    await writeFile(join(ground.folder, 'postgres/PG_VERSION'), '9.6\n')
    const { DATABASE_URL: _, ...env } = environmentOf(ground)
    const { code, found } = await examine({ ...env, BGC_DATA_DIR: ground.folder })
    expect(code).toBe(1)
    expect(JSON.stringify(found.get('data folder'))).toContain('was written by PostgreSQL 9.6')
    expect(found.get('vendor')?.[0]?.kind).toBe('ok')
  })

  it('finds a database that waits for migrations', async () => {
    const ground = await layCliGround()
    await ground.rows(`DELETE FROM _prisma_migrations WHERE migration_name LIKE '%whole_surface'`)
    expect(await complaints(environmentOf(ground))).toEqual({
      migrations: expect.stringMatching(/^wrong: the database lacks \S+whole_surface → run `bgc migrate`/),
    })
  })

  it('finds keys that lack the one that values were sealed with', async () => {
    const ground = await layCliGround()
    const origin = { appId: customApp.appId, tenantKey: 'tk_custom' }
    await ground.database.transaction((sql) => receiveOrder(sql, sealer, origin, orderToPlace('7501')))
    const found = await complaints({ ...environmentOf(ground), BGC_ENCRYPTION_KEYS: key('k2', 9) })
    expect(found['encryption keys']).toMatch(/^wrong: .*k1/)
  })

  it('writes nothing, and leaves the keys to those who seal with them', async () => {
    const ground = await layCliGround()
    await examine(environmentOf(ground))
    await examine({ ...environmentOf(ground), BGC_ENCRYPTION_KEYS: `${key('k2', 8)},${key('k1', 7)}` })
    expect(await ground.rows('SELECT 1 FROM encryption_keys')).toEqual([])
  })

  it('finds a Redis that is gone, and one that may throw hints away', async () => {
    const redis = await startRedis()
    onTestFinished(() => redis.stop())
    const env = { ...environmentOf(await layCliGround()), REDIS_URL: redis.url }
    const client = new Redis(redis.url)
    await client.config('SET', 'maxmemory-policy', 'allkeys-lru')
    // A Redis that is gone is waited for, so both are looked at together.
    const [careless, gone] = await Promise.all([
      complaints(env),
      complaints({ ...env, REDIS_URL: 'redis://:hunter2@127.0.0.1:1' }),
    ])
    expect(careless).toEqual({ Redis: expect.stringMatching(/^wrong: maxmemory-policy is allkeys-lru/) })
    expect(gone).toEqual({ Redis: expect.stringMatching(/^wrong: it does not answer((?!hunter2).)*$/) })
    await client.config('SET', 'maxmemory-policy', 'noeviction')
    expect(await complaints(env)).toEqual({})
    client.disconnect()
  })

  it('finds a clock that is off', async () => {
    const late = createServer((_request, response) => {
      response.sendDate = false
      response.setHeader('Date', new Date(Date.now() + 120_000).toUTCString()).end('{}')
    })
    await new Promise<void>((resolve) => late.listen(0, '127.0.0.1', resolve))
    onTestFinished(() => void late.close())
    const url = `http://127.0.0.1:${(late.address() as AddressInfo).port}`
    const found = await complaints({ ...environmentOf(await layCliGround()), FEISHU_BASE_URL: url })
    expect(found['clock']).toMatch(/^wrong: this machine's clock is -1\d\d\.\d s from that of Feishu/)
  })

  it('finds a wrong app secret, and a Feishu that cannot be reached', async () => {
    const env = environmentOf(await layCliGround())
    expect(await complaints({ ...env, FEISHU_APP_SECRET: 'another-secret' })).toEqual({
      'Feishu token': expect.stringMatching(/^wrong: cli_custom0001: .*→ compare FEISHU_APP_ID and FEISHU_APP_SECRET/),
    })
    const away = await complaints({ ...env, FEISHU_BASE_URL: 'http://127.0.0.1:1' })
    expect(away['Feishu token']).toMatch(/check that this machine reaches http:\/\/127\.0\.0\.1:1/)
  })

  it('tells of orders that may not be read for want of a scope', async () => {
    const ground = await layCliGround()
    await ground.rows(
      `INSERT INTO sweeps (app_id, tenant_key, permission, reason)
       VALUES ('${customApp.appId}', 'tk_custom', 'unreadable', 'the app lacks a scope: hire:background_check_order (99991672)'),
         ('${customApp.appId}', 'tk_other', 'readable', NULL)`,
    )
    expect(await complaints(environmentOf(ground))).toEqual({
      'Feishu scopes': expect.stringMatching(
        /^doubt: cli_custom0001, tenant tk_custom: the app lacks a scope.*→ give the app/,
      ),
    })
  })

  it('finds an event URL with another key, and one where nobody is', async () => {
    const env = environmentOf(await layCliGround())
    expect(await complaints({ ...env, FEISHU_ENCRYPT_KEY: 'another-key' })).toEqual({
      'event URL': expect.stringMatching(
        /answered 401 to a signed challenge → the service there has another FEISHU_ENCRYPT_KEY/,
      ),
    })
    const ended = await run(['doctor', '--event-url', 'http://127.0.0.1:1'], env)
    expect([ended.code, ended.out]).toEqual([
      1,
      expect.stringMatching(/WRONG {2}event URL: .*\n {7}→ start the service/),
    ])
    expect((await run(['doctor', '--event-url', 'here'], env)).code).toBe(64)
  })

  it('finds a vendor that refuses the key, and one that is not there', async () => {
    const env = environmentOf(await layCliGround())
    expect(await complaints({ ...env, VENDOR_API_KEY: 'another-key' })).toEqual({
      vendor: expect.stringMatching(/401.*→ check VENDOR_BASE_URL and VENDOR_API_KEY/),
    })
    expect(await complaints({ ...env, VENDOR_BASE_URL: 'http://127.0.0.1:1' })).toEqual({
      vendor: expect.stringContaining('→ check that the vendor’s system runs'),
    })
  })

  it('passes no escape sequence of anybody else on to the terminal', async () => {
    const ground = await layCliGround()
    await ground.database.pool.query(
      `INSERT INTO holds (scope, app_id, tenant_key, api, reason) VALUES ('app', $1, '', '', $2)`,
      [customApp.appId, 'wrong \u001b[2Jsecret'],
    )
    const { out } = await run(['doctor', '--event-url', service.url], environmentOf(ground))
    expect(out).toContain('wrong �[2Jsecret')
    expect(out).not.toContain('\u001b')
  })

  it('finds what is parked, dead, failed and late', async () => {
    const ground = await layCliGround()
    await ground.rows(`INSERT INTO sweeps (app_id, tenant_key) VALUES ('${customApp.appId}', 'tk_custom')`)
    await ground.rows(
      `INSERT INTO holds (scope, app_id, tenant_key, reason) VALUES ('tenant', '${customApp.appId}', 'tk_custom', 'the app is not installed')`,
    )
    await ground.rows(
      `INSERT INTO poll_schedule (background_check_id, tenant_key, due_at, interval_ms) VALUES ('1', 'tk', now() - interval '1 hour', 1)`,
    )
    await ground.rows(
      `INSERT INTO events (app_id, event_id, type, tenant_key, create_time, state, due_at) VALUES ('a', 'e', 't', 'tk', '0', 'failed', NULL)`,
    )
    const { found, code } = await examine(environmentOf(ground))
    expect(code).toBe(1)
    expect(JSON.stringify(found.get('Feishu scopes'))).toContain(
      'parked: cli_custom0001, tk_custom: the app is not installed',
    )
    expect(JSON.stringify(found.get('work'))).toContain('failed events: 1')
    expect(JSON.stringify(found.get('work'))).toContain('1 polls are late')
  })
})

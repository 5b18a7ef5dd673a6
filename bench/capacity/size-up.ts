import type { SandboxFeishu, SandboxVendor } from '../../src/sandbox/index.js'
import { sum } from '../support/figures.js'
import type { Stores } from '../support/stores.js'
import { until } from '../support/wait.js'
import { walPosition } from '../support/wal.js'
import { app, startWorld, tenantKey, type World } from './world.js'

export interface Weights {
  orders: number
  /** Of the tables, with their indexes, by name. */
  tables: Array<{ name: string; rows: number; bytes: number; indexBytes: number }>
  walBytes: number
  statements: number
  calls: number
  /** Of PostgreSQL, while one process of all roles works. */
  connections: number
  windows: Array<{ key: string; bytes: number; uses: number }>
}

const withinMs = 120_000

export async function sizeUp(stores: Stores, orders: number): Promise<Weights> {
  const world = await startWorld(stores)
  try {
    const { sql, service, feishu } = world
    const before = await sizes(world)
    const [walBefore, statementsBefore] = [await walPosition(sql), await service.ask<number>('statements')]
    await liveThrough(world, orders)
    const statements = (await service.ask<number>('statements')) - statementsBefore
    const walBytes = (await walPosition(sql)) - walBefore
    const windows = await windowsOf(world)
    const connections = await sql.query<{ n: number }>(
      `SELECT count(*)::int AS n FROM pg_stat_activity WHERE application_name LIKE 'bgc-bridge%' AND pid <> pg_backend_pid()`,
    )
    const tables = (await sizes(world)).map((after) => difference(after, before))
    return {
      orders,
      tables,
      walBytes,
      statements,
      calls: feishu.calls({ applied: true }).length,
      connections: connections.rows[0]?.n ?? 0,
      windows,
    }
  } finally {
    await world.stop()
  }
}

async function liveThrough({ feishu, vendor }: World, orders: number): Promise<void> {
  const { accountId } = feishu.createAccount({ appId: app.appId, tenantKey })
  const ids = Array.from({ length: orders }, () => {
    return feishu.createOrder({ appId: app.appId, tenantKey, accountId }).backgroundCheckId
  })
  for (const id of ids) {
    await until(`${id} at the vendor`, async () => vendor.orderCount(id) > 0, withinMs, 10)
    finish(vendor, id)
  }
  await until('all ended', async () => ids.every((id) => isEnded(feishu, id)), withinMs)
}

function finish(vendor: SandboxVendor, id: string): void {
  vendor.addStage(id, { id: 'st-1', name: '身份核验', en_name: 'Identity verified' })
  vendor.addStage(id, { id: 'st-2', name: '学历核实', result: '通过', reports: [{ name: 'stage.pdf' }] })
  vendor.complete(id, { result: '无差异', reports: [{ name: 'final.pdf' }] })
}

function isEnded(feishu: SandboxFeishu, id: string): boolean {
  if (feishu.order(id).status === 'in_approval') feishu.approve(id)
  return feishu.order(id).status === 'completed'
}

type Size = Weights['tables'][number]

/** What rows take by themselves, since pages of small tables are mostly empty; indexes as they lie. */
async function sizes({ sql }: World): Promise<Size[]> {
  const { rows } = await sql.query<{ name: string }>(
    `SELECT relname AS name FROM pg_stat_user_tables WHERE schemaname = current_schema() AND relname !~ '^_prisma|archive' ORDER BY 1`,
  )
  const all: Size[] = []
  for (const { name } of rows) {
    const found = await sql.query<Omit<Size, 'name'>>(
      // A row with its head, and 4 bytes that point to it: https://www.postgresql.org/docs/current/storage-page-layout.html
      `SELECT count(*)::int AS rows, coalesce(sum(pg_column_size(t.*) + 4), 0)::float8 AS bytes,
         pg_indexes_size('${name}'::regclass)::float8 AS "indexBytes" FROM ${name} AS t`,
    )
    for (const row of found.rows) all.push({ name, ...row })
  }
  return all
}

function difference(after: Size, before: readonly Size[]): Size {
  const then = before.find(({ name }) => name === after.name)
  return {
    name: after.name,
    rows: after.rows - (then?.rows ?? 0),
    bytes: after.bytes - (then?.bytes ?? 0),
    indexBytes: after.indexBytes - (then?.indexBytes ?? 0),
  }
}

async function windowsOf({ redis }: World): Promise<Weights['windows']> {
  const states = await redis.keys('{bgc:limiter:*}:state')
  return Promise.all(
    states.map(async (state) => {
      const uses = state.replace(/:state$/, ':uses')
      const bytes = await Promise.all([state, uses].map(async (key) => (await redis.memory('USAGE', key)) ?? 0))
      return { key: state, bytes: sum(bytes), uses: await redis.zcard(uses) }
    }),
  )
}

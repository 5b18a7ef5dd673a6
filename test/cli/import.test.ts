import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { runCli } from '../../src/cli/program.js'
import { laneOfOrder } from '../../src/flow/map.js'
import { cancelByCustomer } from '../../src/flow/orders/cancel.js'
import { receiveOrder } from '../../src/flow/orders/receive.js'
import { orderToPlace } from '../support/order-to-place.js'
import { type CliGround, layCliGround, sealer } from './ground.js'
import { complete, run, start } from './support.js'

const origin = { appId: complete.FEISHU_APP_ID, tenantKey: 'tk_a' }
const at = 1_767_312_000_000

let ground: CliGround
beforeEach(async () => {
  ground = await layCliGround()
})

const rows = (text: string) => ground.rows(text)
const stage = (number: number) => ({ stage_id: `st-${number}`, stage_name: `阶段 ${number}`, stage_time: at + number })
const order = (id: string, more: object = {}) => ({
  background_check_id: id,
  tenant_key: 'tk_a',
  account_id: '7001',
  package_id: 'pkg',
  vendor_order_id: `V-${id}`,
  created_at: '2026-01-02T00:00:00+08:00',
  stages_sent: [stage(1), stage(2)],
  ...more,
})

let files = 0
async function fileOf(lines: readonly unknown[]): Promise<string> {
  files += 1
  const file = join(ground.folder, `${files}.jsonl`)
  const texts = lines.map((line) => (typeof line === 'string' ? line : JSON.stringify(line)))
  await writeFile(file, `${texts.join('\n')}\n`)
  return file
}
const bring = async (lines: readonly unknown[], ...flags: string[]) =>
  run(['import', 'orders', ...flags, await fileOf(lines)], ground.env)
const report = (text: string) => JSON.parse(text) as { imported: number; existing: number; refused: object[] }

describe('bgc import orders', () => {
  it('takes over an open order with what Feishu has of it, has it polled, and is content with the same file again', async () => {
    const lines = [order('101'), order('102', { stages_sent: [], account_id: null })]
    const first = await bring(lines)
    expect(first).toEqual({ code: 0, err: '', out: '2 imported, 0 here already, 0 refused\n' })
    const orders = await rows(
      `SELECT background_check_id AS id, app_id, account_id, vendor_order_id, state, payload_sealed, created_at,
         interval_ms FROM orders JOIN poll_schedule USING (background_check_id) ORDER BY 1`,
    )
    const open = {
      app_id: origin.appId,
      created_at: new Date('2026-01-01T16:00:00Z'),
      payload_sealed: null,
      interval_ms: 0,
    }
    expect(orders).toMatchObject([
      { ...open, id: '101', account_id: '7001', vendor_order_id: 'V-101', state: 'in_progress' },
      { ...open, id: '102', account_id: null, vendor_order_id: 'V-102', state: 'ordered' },
    ])
    const sent = `SELECT lane, seq, api, state, confirmed, attempts, due_at, stage_id, stage_time::text FROM deliveries ORDER BY seq`
    const delivered = { lane: laneOfOrder('101'), state: 'delivered', confirmed: true, attempts: 0, due_at: null }
    expect(await rows(sent)).toEqual([
      { ...delivered, api: 'update_progress', seq: 1, stage_id: 'st-1', stage_time: String(at + 1) },
      { ...delivered, api: 'update_progress', seq: 2, stage_id: 'st-2', stage_time: String(at + 2) },
    ])
    expect(await rows('SELECT * FROM vendor_tasks')).toEqual([])
    expect(await rows(`SELECT account_id, state FROM accounts`)).toEqual([{ account_id: '7001', state: 'unbound' }])
    expect(await rows(`SELECT kind, detail FROM timeline WHERE background_check_id = '101'`)).toEqual([
      { kind: 'imported', detail: { vendor_order_id: 'V-101', stages: 2, result: false } },
    ])
    const audit = 'SELECT via, action, subject, after FROM audit ORDER BY subject'
    const entry = (id: string) => ({ subject: `order:${id}`, after: { vendor_order_id: `V-${id}` } })
    const brought = ['101', '102'].map((id) => ({ via: 'cli', action: 'orders.import', ...entry(id) }))
    expect(await rows(audit)).toEqual(brought)
    const before = await rows('SELECT * FROM orders ORDER BY 1')
    expect((await bring(lines)).out).toBe('0 imported, 2 here already, 0 refused\n')
    expect(await rows('SELECT * FROM orders ORDER BY 1')).toEqual(before)
    expect(await rows('SELECT count(*)::int AS n FROM deliveries')).toEqual([{ n: 2 }])
    expect(await rows(audit)).toEqual(brought)
  })

  it('seals what it was told, like anything else', async () => {
    await bring([order('101', { result_sent: { result: 'canary', result_time: at + 9 } })])
    const [body] = await rows(`SELECT string_agg(encode(body_sealed, 'escape'), '') AS text FROM deliveries`)
    expect(body.text).not.toMatch(/canary|阶段|stage/)
  })

  it('never polls what is over', async () => {
    const result_sent = { result: '绿灯', result_time: String(at + 9) }
    await bring([
      order('101', { result_sent }),
      order('102', { state: 'canceled' }),
      order('103', { result_sent, state: 'completed' }),
    ])
    const states = await rows('SELECT background_check_id AS id, state, updated_at FROM orders ORDER BY 1')
    expect(states).toMatchObject([
      { id: '101', state: 'completed', updated_at: new Date(at + 9) },
      { id: '102', state: 'canceled', updated_at: new Date(at + 2) },
      { id: '103', state: 'completed' },
    ])
    expect(await rows('SELECT * FROM poll_schedule')).toEqual([])
    const results = await rows(`SELECT lane, seq, state FROM deliveries WHERE api = 'update_result' ORDER BY 1`)
    expect(results).toMatchObject([
      { lane: laneOfOrder('101'), seq: 3, state: 'delivered' },
      { lane: laneOfOrder('103'), seq: 3, state: 'delivered' },
    ])
  })

  it('names line and path of every complaint, imports nothing of such a line, and everything of the others', async () => {
    await ground.database.transaction((sql) =>
      cancelByCustomer(sql, sealer, { ...origin, tenantKey: 'tk_b' }, '900', ''),
    )
    const lines = [
      order('101'),
      '',
      '{"background_check_id":"Canary',
      order('104', {
        vendor_order_id: '',
        stages_sent: [stage(1), { ...stage(2), stage_time: 1_767_312_000, canary: 1 }],
      }),
      order('101', { vendor_order_id: 'V-other' }),
      order('106', { vendor_order_id: 'V-101' }),
      order('900'),
      order('108'),
    ]
    const { code, out, err } = await bring(lines, '--json')
    expect([code, err]).toEqual([1, ''])
    const time = 'expected milliseconds since 1970, or a time as RFC 3339, from 2001 until tomorrow'
    expect(report(out)).toEqual({
      imported: 2,
      existing: 0,
      refused: [
        { line: 3, path: '', message: 'expected a JSON object' },
        { line: 4, path: 'vendor_order_id', message: 'expected a text that is not empty' },
        { line: 4, path: 'stages_sent.1.stage_time', message: time },
        { line: 4, path: 'stages_sent.1.canary', message: 'not a field of this format' },
        { line: 5, path: 'background_check_id', message: 'expected another one than in line 1' },
        { line: 6, path: 'vendor_order_id', message: 'expected another one than in line 1' },
        { line: 7, path: 'background_check_id', message: 'belongs to an order of another app or tenant' },
      ],
    })
    expect(await rows('SELECT background_check_id AS id FROM orders ORDER BY 1')).toEqual([
      { id: '101' },
      { id: '108' },
      { id: '900' },
    ])
    const again = await bring(lines)
    expect([again.code, again.out]).toEqual([1, '0 imported, 2 here already, 5 refused\n'])
    expect(again.err).toContain('line 4: stages_sent.1.canary: not a field of this format\n')
    expect(again.err).toContain('line 3: expected a JSON object\n')
  })

  it('refuses the number that another check has at the vendor', async () => {
    await bring([order('101')])
    const other = [order('102', { vendor_order_id: 'V-101' })]
    const { out } = await bring(other, '--json')
    expect((await bring(other, '--json', '--dry-run')).out).toBe(out)
    expect(report(out).refused).toEqual([
      { line: 1, path: 'vendor_order_id', message: 'is the number of another check' },
    ])
  })

  it('says with --dry-run what would come of each line, and writes nothing', async () => {
    await bring([order('101')])
    const before = await Promise.all(
      ['orders', 'deliveries', 'lanes', 'timeline'].map((table) => rows(`SELECT * FROM ${table} ORDER BY 1`)),
    )
    const lines = [order('101'), order('102'), order('103', { app_id: 'cli_other' }), 'x']
    const { code, out, err } = await bring(lines, '--dry-run')
    expect([code, out]).toEqual([1, '1 to import, 1 here already, 2 refused; nothing was written\n'])
    expect(err).toBe(
      'line 3: app_id: expected one of the apps of this service: cli_test0001\nline 4: expected a JSON object\n',
    )
    const after = await Promise.all(
      ['orders', 'deliveries', 'lanes', 'timeline'].map((table) => rows(`SELECT * FROM ${table} ORDER BY 1`)),
    )
    expect(after).toEqual(before)
  })

  it('reads standard input for -', async () => {
    const command = start(['import', 'orders', '--json', '-'], ground.env, 'pipe')
    command.child.stdin?.end(`\uFEFF${JSON.stringify(order('101'))}\r\n${JSON.stringify(order('102'))}`)
    const { out } = await command.ended
    expect(report(out)).toEqual({ imported: 2, existing: 0, refused: [] })
  })

  it.each([
    ['there is none', () => join(ground.folder, 'none.jsonl'), 'none.jsonl cannot be read'],
    ['it is a folder', () => ground.folder, 'EISDIR'],
  ])('ends with 1 when %s', async (_, file, complaint) => {
    const { code, out, err } = await run(['import', 'orders', file()], ground.env)
    expect([code, out]).toEqual([1, ''])
    expect(err).toContain(complaint)
    expect(err.trimEnd().split('\n')).toHaveLength(1)
  })

  it('killed in the middle leaves whole orders, and finishes when it is run again', async () => {
    const ids = Array.from({ length: 12 }, (_, index) => String(201 + index))
    const lines = ids.map((id) => order(id))
    const file = await fileOf(lines)
    const command = await ground.database.transaction(async (sql) => {
      // The seventh order cannot be written while this transaction is open.
      await sql.query('INSERT INTO lanes (lane) VALUES ($1)', [laneOfOrder('207')])
      const running = start(['import', 'orders', file], ground.env)
      await expect
        .poll(() => rows('SELECT count(*)::int AS n FROM orders'), { timeout: 20_000, interval: 20 })
        .toEqual([{ n: 7 }])
      running.child.kill('SIGKILL')
      await running.ended
      return running
    })
    expect((await command.ended).code).toBe(null)
    const whole = `SELECT count(*)::int AS n FROM orders o WHERE EXISTS (SELECT 1 FROM poll_schedule p WHERE p.background_check_id = o.background_check_id)
      AND 2 = (SELECT count(*) FROM deliveries d WHERE d.background_check_id = o.background_check_id)`
    expect(await rows(whole)).toEqual([{ n: 7 }])
    const { code, out } = await run(['import', 'orders', file], ground.env)
    expect([code, out]).toEqual([0, '5 imported, 7 here already, 0 refused\n'])
    expect(await rows(whole)).toEqual([{ n: 12 }])
  })

  it('tells the vendor of an order that the customer stopped before it was imported', async () => {
    await ground.database.transaction((sql) => cancelByCustomer(sql, sealer, origin, '101', 'changed my mind'))
    expect((await bring([order('101')])).out).toBe('1 imported, 0 here already, 0 refused\n')
    expect(await rows('SELECT state, vendor_order_id FROM orders')).toEqual([
      { state: 'canceled', vendor_order_id: 'V-101' },
    ])
    expect(await rows('SELECT subject, action FROM vendor_tasks')).toEqual([{ subject: 'order:101', action: 'cancel' }])
    expect((await bring([order('101')])).out).toBe('0 imported, 1 here already, 0 refused\n')
  })

  it('leaves an order alone that came by its event', async () => {
    await ground.database.transaction((sql) => receiveOrder(sql, sealer, origin, orderToPlace('101')))
    expect((await bring([order('101')])).out).toBe('0 imported, 1 here already, 0 refused\n')
    expect(await rows('SELECT state, vendor_order_id FROM orders')).toEqual([
      { state: 'received', vendor_order_id: null },
    ])
  })

  it('counts the lines for whoever looks at a terminal, and for nobody else', async () => {
    const said: string[] = []
    const file = await fileOf([order('101')])
    const io = { out: () => undefined, err: (text: string) => void said.push(text), isTerminal: true }
    const outside = { ...process.env }
    Object.assign(process.env, ground.env)
    onTestFinished(() => {
      for (const name of Object.keys(ground.env)) delete process.env[name]
      Object.assign(process.env, outside)
    })
    expect(await runCli(['import', 'orders', file], io)).toBe(0)
    expect(said).toEqual(['\r1 lines', '\r\x1b[K'])
  })
})

import { writeFile } from 'node:fs/promises'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import { beforeEach, describe, expect, it } from 'vitest'
import { runCli } from '../../src/cli/program.js'
import { cancelByCustomer } from '../../src/flow/orders/cancel.js'
import { receiveOrder } from '../../src/flow/orders/receive.js'
import { readEverything } from '../support/everything.js'
import { orderToPlace } from '../support/order-to-place.js'
import { type CliGround, layCliGround, sealer } from './ground.js'
import { bare, complete, run, start } from './support.js'

const origin = { appId: complete.FEISHU_APP_ID, tenantKey: 'tk_a' }

let ground: CliGround
beforeEach(async () => {
  ground = await layCliGround()
})

const erase = (...args: string[]) => run(['erase', ...args], ground.env)
const everything = () => readEverything(ground.database, { k1: Buffer.alloc(32, 7) })

async function order(id: string, { ended }: { ended: boolean }): Promise<void> {
  const content = orderToPlace(id, { candidate: { name: `canary-${id}` } })
  await ground.database.transaction(async (sql) => {
    await receiveOrder(sql, sealer, origin, content)
    if (ended) await cancelByCustomer(sql, sealer, origin, id, '')
  })
}

describe('bgc erase', () => {
  it('erases the checks that it is given, as the user who runs it, and says what became of each', async () => {
    for (const id of ['101', '102']) await order(id, { ended: true })
    expect(await erase('101')).toEqual({ code: 0, out: '1 erased, 0 before, 0 open, 0 unknown\n', err: '' })
    expect(await everything()).not.toContain('canary-101')
    expect(await everything()).toContain('canary-102')
    const audit = await ground.rows('SELECT actor, via, action, subject, outcome FROM audit')
    const entry = { actor: userInfo().username, via: 'cli', action: 'orders.erase', subject: 'order:101' }
    expect(audit).toEqual([{ ...entry, outcome: 'done' }])
    const again = await erase('102', '101', '--json')
    expect([again.code, JSON.parse(again.out)]).toEqual([
      0,
      { erased: ['102'], before: ['101'], open: [], unknown: [] },
    ])
  })

  it('fails for what is open or not there, and erases the others all the same', async () => {
    await order('101', { ended: false })
    await order('102', { ended: true })
    const { code, out, err } = await erase('101', '404', '102')
    expect([code, out]).toEqual([1, '1 erased, 0 before, 1 open, 1 unknown\n'])
    expect(err).toContain('101: has not ended')
    expect(err).toContain('404: is not in this database')
    expect(await everything()).not.toContain('canary-102')
    expect(await everything()).toContain('canary-101')
    expect((await erase('101', '--force')).code).toBe(0)
    expect(await everything()).not.toContain('canary')
  })

  it('refuses wrong usage before it touches anything', { timeout: 180_000 }, async () => {
    await order('101', { ended: true })
    for (const args of [
      [],
      ['101', '--list'],
      ['--since', '2026-01-01', '101'],
      ['--list', '--since', 'canary'],
      ['--list', '--force'],
    ]) {
      expect((await erase(...args)).code).toBe(64)
    }
    const mixed = await erase('101', 'canary')
    expect([mixed.code, mixed.err]).toEqual([1, 'nothing was erased:\nargument 2: expected an id of 1 to 32 digits\n'])
    expect(await everything()).toContain('canary-101')
  })

  it('says what is wrong with the environment', async () => {
    const { code, err } = await run(['erase', '101'], bare)
    expect(code).toBe(78)
    expect(err).toContain('FEISHU_APP_ID')
  })
})

describe('a list of what was erased, kept outside of backups', () => {
  it('repeats the erasures in a database that was restored', async () => {
    for (const id of ['101', '102']) await order(id, { ended: true })
    await order('103', { ended: false })
    await erase('101', '103', '--force')
    const list = await erase('--list')
    expect(list).toEqual({ code: 0, out: '101\n103\n', err: '' })
    const file = join(ground.folder, 'erased.txt')
    await writeFile(file, `${list.out}\n404\n101\n`)

    ground = await layCliGround()
    for (const id of ['101', '102']) await order(id, { ended: true })
    await order('103', { ended: false })
    expect((await erase('--from', file)).out).toBe('1 erased, 0 before, 1 open, 1 unknown\n')
    const forced = await erase('--from', file, '--force', '--json')
    expect([forced.code, JSON.parse(forced.out)]).toEqual([
      0,
      { erased: ['103'], before: ['101'], open: [], unknown: ['404'] },
    ])
    expect(await everything()).not.toMatch(/canary-10[13]/)
    expect(await everything()).toContain('canary-102')
  })

  it('can be cut to what came since, and tells times as JSON', async () => {
    for (const id of ['101', '102']) await order(id, { ended: true })
    await erase('101', '102')
    await ground.rows(`UPDATE orders SET erased_at = '2026-01-02T03:04:05.678Z' WHERE background_check_id = '101'`)
    expect((await erase('--list', '--since', '2026-01-03')).out).toBe('102\n')
    const json = await erase('--list', '--since', '2026-01-02T03:04:05.678+00:00', '--json')
    expect(JSON.parse(json.out)).toMatchObject([
      { background_check_id: '101', erased_at: '2026-01-02T03:04:05.678Z' },
      { background_check_id: '102' },
    ])
  })

  it('is read from standard input, and not at all when one line is no id', async () => {
    await order('101', { ended: true })
    const { child, ended } = start(['erase', '--from', '-'], ground.env, 'pipe')
    child.stdin?.end('101\ncanary\n')
    expect(await ended).toEqual({
      code: 1,
      out: '',
      err: 'nothing was erased:\nline 2: expected an id of 1 to 32 digits\n',
    })
    expect(await everything()).toContain('canary-101')
  })
})

it('is in the help of bgc', async () => {
  let help = ''
  const io = { out: (text: string) => (help += text), err: () => undefined }
  expect(await runCli(['--help'], io)).toBe(0)
  expect(help).toContain('erase')
})

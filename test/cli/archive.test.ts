import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { readdir, writeFile } from 'node:fs/promises'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import { beforeEach, describe, expect, it } from 'vitest'
import { runCli } from '../../src/cli/program.js'
import { cancelByCustomer } from '../../src/flow/orders/cancel.js'
import { receiveOrder } from '../../src/flow/orders/receive.js'
import { eraseOrder } from '../../src/flow/personal-data/erase.js'
import { ensureMonth } from '../../src/platform/database/months.js'
import { orderToPlace } from '../support/order-to-place.js'
import { program } from '../support/programs.js'
import { type CliGround, layCliGround, sealer } from './ground.js'
import { cli, complete, run } from './support.js'

const origin = { appId: complete.FEISHU_APP_ID, tenantKey: 'tk_a' }
const who = { actor: 'tester', via: 'cli' } as const

let ground: CliGround
beforeEach(async () => {
  ground = await layCliGround()
})

const archive = (...args: string[]) => run(['archive', ...args], ground.env)

/** Orders that were canceled and erased, and did not change for so many days. */
async function old(ids: readonly string[], days: number): Promise<void> {
  for (const id of ids) {
    await ground.database.transaction(async (sql) => {
      await receiveOrder(sql, sealer, origin, orderToPlace(id))
      await cancelByCustomer(sql, sealer, origin, id, '')
      await eraseOrder(sql, id, { force: false, who })
    })
  }
  await ground.database.pool.query(
    `UPDATE orders SET updated_at = now() - $2 * interval '1 day' WHERE background_check_id = ANY($1)`,
    [ids, days],
  )
}

describe('bgc archive', () => {
  it('moves what is old enough, as the user who runs it, after it has told what it would move', async () => {
    await old(['101', '102'], 401)
    await old(['103'], 399)
    expect(await archive('--dry-run')).toEqual({
      code: 0,
      out: '2 to archive, 0 wait for something; nothing was moved\n',
      err: '',
    })
    expect((await archive()).out).toBe('2 archived, 0 wait for something, 0 in use; 0 old events dropped\n')
    const json = await archive('--before', '180', '--json')
    expect(JSON.parse(json.out)).toEqual({ moved: 1, waiting: 0, busy: 0, events: 0 })
    const told = await ground.rows(`SELECT actor, after FROM audit WHERE action = 'archive.run' ORDER BY id`)
    const actor = userInfo().username
    expect(told).toEqual([
      { actor, after: { before_days: 400, orders: 2, events: 0 } },
      { actor, after: { before_days: 180, orders: 1, events: 0 } },
    ])
  })

  it('refuses what would be archived before a restore could erase it, and wrong usage', async () => {
    await old(['101'], 500)
    const early = await archive('--before', '179')
    expect([early.code, early.err]).toEqual([
      64,
      '--before: expected 180 days or more, as long as BGC_RETENTION_DAYS keeps personal data\n',
    ])
    const io = { out: () => undefined, err: () => undefined }
    const wrong = [
      ['--before', '0'],
      ['--batch', 'x'],
      ['export', '--month', '2025-13', '--to', 'f'],
      ['export', '--month', '2025-03', '--to', '-'],
      ['export'],
      ['import'],
    ]
    for (const args of wrong) expect(await runCli(['archive', ...args], io)).toBe(64)
    expect(await ground.rows('SELECT 1 FROM archived_checks')).toEqual([])
  })
})

describe('a month of the archive', () => {
  /** Some orders of March 2025, with `bytes` each that do not compress. */
  async function march(orders: number, bytes: number): Promise<void> {
    await ground.database.transaction((sql) => ensureMonth(sql, 'archived_orders', '2025-03'))
    for (let each = 1; each <= orders; each += 1) {
      const document = {
        background_check_id: String(each),
        app_id: 'a',
        tenant_key: 't',
        x: randomBytes(bytes).toString('hex'),
      }
      await ground.database.pool.query(
        `INSERT INTO archived_orders VALUES ($1, '2025-03-01', now(), '2024-01-02T03:04:05Z', 'a', 't', NULL, NULL, $2)`,
        [String(each), document],
      )
    }
  }
  const march2025 = { month: '2025-03', first_ended_at: '2024-01-02T03:04:05.000Z' }

  it('is listed, leaves the database for a file and comes back', async () => {
    await march(3, 10)
    const file = join(ground.folder, 'march.gz')
    const listed = await archive('partitions')
    expect(listed.out).toMatch(/^MONTH +ORDERS +BYTES +FIRST_ENDED_AT +LAST_ENDED_AT\n2025-03 +3 +\d+ /)
    const given = JSON.parse((await archive('export', '--month', '2025-03', '--to', file, '--drop', '--json')).out)
    expect(given).toMatchObject({ file, month: '2025-03', orders: 3, dropped: true })
    expect(await ground.rows('SELECT 1 FROM archived_orders')).toEqual([])
    expect((await archive('import', file)).out).toBe('3 orders of 2025-03 are back, 0 were here\n')
    expect(JSON.parse((await archive('partitions', '--json')).out)).toMatchObject([{ ...march2025, orders: 3 }])
  })

  it('stays when the disk is full, and no part of a file is left', async () => {
    await march(60, 4000)
    const file = join(ground.folder, 'march.gz')
    // A file of 64 KiB at most, in blocks of 512 bytes or 1 KiB.
    const command = `ulimit -f 64; exec "$0" "$1" archive export --month 2025-03 --to "$2" --drop`
    const child = spawn('sh', ['-c', command, process.execPath, program(cli), file], {
      env: ground.env,
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    let err = ''
    child.stderr.on('data', (chunk: Buffer) => (err += String(chunk)))
    const code = await new Promise((resolve) => child.once('close', resolve))
    expect([code, err]).toEqual([1, expect.stringContaining('EFBIG')])
    expect(await readdir(ground.folder)).toEqual([])
    expect(await ground.rows('SELECT count(*)::int AS n FROM archived_orders')).toEqual([{ n: 60 }])
  })

  it('does not come back from a file that is damaged', async () => {
    const file = join(ground.folder, 'march.gz')
    await writeFile(file, 'canary')
    const { code, err } = await archive('import', file)
    expect([code, err]).toEqual([1, expect.stringContaining(`${file} is not a file that \`bgc archive export\` wrote`)])
  })
})

import { describe, expect, it } from 'vitest'
import { type Line, readLines } from '../../src/cli/import/lines.js'
import { readOrderLine } from '../../src/cli/import/order-line.js'

async function linesOf(chunks: readonly Uint8Array[]) {
  async function* stream() {
    yield* chunks
  }
  const lines: Line[] = []
  for await (const line of readLines(stream())) lines.push(line)
  return lines
}

describe('the lines of a file', () => {
  it('are the same however the bytes come', async () => {
    const bytes = Buffer.from('\uFEFF第一行\r\n\n  \n最后')
    const whole = await linesOf([bytes])
    expect(whole).toEqual([
      { number: 1, text: '第一行\r' },
      { number: 4, text: '最后' },
    ])
    expect(await linesOf([...bytes].map((byte) => Buffer.of(byte)))).toEqual(whole)
    expect(await linesOf([bytes, Buffer.from('\n')])).toEqual(whole)
  })

  it('of nothing are none', async () => {
    expect(await linesOf([])).toEqual([])
  })

  it('that are in another encoding, or longer than anything can be, are named, and do not spoil the next', async () => {
    const gbk = Buffer.from([0xc9, 0xed, 0xb7, 0xdd, 0x0a])
    const long = Array.from({ length: 20 }, () => Buffer.alloc(65_536, 'x'))
    expect(await linesOf([gbk, ...long, Buffer.from('\nnext')])).toEqual([
      { number: 1, problem: 'expected UTF-8' },
      { number: 2, problem: 'expected a line of 1048576 bytes or fewer' },
      { number: 3, text: 'next' },
    ])
  })
})

describe('a line with an order', () => {
  const whole = {
    background_check_id: '7400000000000000202',
    tenant_key: 'tk_a',
    vendor_order_id: 'V-1',
    stages_sent: [{ stage_id: 'st-1', stage_name: '身份核验', stage_time: 1_767_315_600_000 }],
  }
  const read = (more: object, apps = ['cli_a']) => readOrderLine(JSON.stringify({ ...whole, ...more }), apps)
  const complaints = (more: object, apps?: string[]) => {
    const line = read(more, apps)
    return line.kind === 'refused' ? line.issues : []
  }

  it('needs no more than the two ids, the tenant and what was sent', () => {
    expect(
      read({ app_id: null, account_id: null, package_id: null, created_at: null, result_sent: null, state: null }),
    ).toEqual({
      kind: 'order',
      origin: { appId: 'cli_a', tenantKey: 'tk_a' },
      order: {
        backgroundCheckId: '7400000000000000202',
        vendorOrderId: 'V-1',
        stages: [{ id: 'st-1', name: '身份核验', time: 1_767_315_600_000 }],
        canceled: false,
      },
    })
  })

  it.each([[1_767_315_600_000], ['1767315600000'], ['2026-01-02T01:00:00Z'], ['2026-01-02T09:00:00.000+08:00']])(
    'takes the time %j',
    (stage_time) => {
      const line = read({ stages_sent: [{ ...whole.stages_sent[0], stage_time }] })
      expect(line).toMatchObject({ order: { stages: [{ time: 1_767_315_600_000 }] } })
    },
  )

  it.each([
    [1_767_315_600],
    [1.5],
    [-1],
    ['2026-01-02'],
    ['2026-01-02T01:00:00'],
    ['tomorrow'],
    [4_102_444_800_000],
    [true],
  ])('does not take the time %j', (created_at) => {
    expect(complaints({ created_at })).toEqual([
      {
        path: 'created_at',
        message: 'expected milliseconds since 1970, or a time as RFC 3339, from 2001 until tomorrow',
      },
    ])
  })

  it.each([
    [
      'two stages that are one',
      { stages_sent: [whole.stages_sent[0], whole.stages_sent[0]] },
      'stages_sent.1.stage_id',
    ],
    ['nothing about what was sent', { stages_sent: undefined }, 'stages_sent'],
    ['a result without a time', { result_sent: { result: '绿灯' } }, 'result_sent.result_time'],
    ['an end without its result', { state: 'completed' }, 'result_sent'],
    [
      'a result and no end',
      { state: 'in_progress', result_sent: { result: 'x', result_time: 1_767_315_600_000 } },
      'state',
    ],
    ['a state of its own', { state: 'done' }, 'state'],
    ['an id that is a number', { background_check_id: 740 }, 'background_check_id'],
    ['a number that is a path', { vendor_order_id: '..' }, 'vendor_order_id'],
    ['a field that nobody knows', { vendor_id: 'x' }, 'vendor_id'],
    ['an app that is not here', { app_id: 'cli_b' }, 'app_id'],
  ])('with %s is refused at its path', (_, more, path) => {
    expect(complaints(more).map((issue) => issue.path)).toEqual([path])
  })

  it('has to name its app where there are several', () => {
    expect(complaints({}, ['cli_a', 'cli_b'])).toEqual([
      { path: 'app_id', message: 'expected one of the apps of this service: cli_a, cli_b' },
    ])
    expect(read({ app_id: 'cli_b' }, ['cli_a', 'cli_b'])).toMatchObject({ origin: { appId: 'cli_b' } })
  })

  it.each(['{"canary":', 'canary', '[]', 'null', '"canary"'])(
    'that is no object is refused without a word of it: %s',
    (text) => {
      expect(readOrderLine(text, ['cli_a'])).toEqual({
        kind: 'refused',
        issues: [{ path: '', message: 'expected a JSON object' }],
      })
    },
  )
})

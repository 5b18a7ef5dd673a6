import { readFileSync } from 'node:fs'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { conditions } from '../../src/operate/alerts/conditions.js'
import { digestDay } from '../../src/operate/alerts/digest.js'
import { startAlerts } from '../../src/operate/alerts/start.js'
import type { Started } from '../../src/platform/lifetime.js'
import { type GroupBot, startGroupBot } from '../support/group-bot.js'
import { type Api, startOperators } from './harness.js'
import {
  addDeliveries,
  addEvent,
  addFailedOrder,
  addHold,
  addOrder,
  personal,
  setDelivery,
  setOrder,
  stage,
} from './rows.js'

const secret = 'secret-of-the-bot'
const until = (holds: () => void) => vi.waitFor(holds, { timeout: 30_000, interval: 20 })

describe('the group', () => {
  let api: Api
  let bot: GroupBot
  const running: Started[] = []
  let now = new Date('2026-01-02T00:30:00Z')
  let asked = 0

  beforeEach(async () => {
    now = new Date('2026-01-02T00:30:00Z')
    api = await startOperators()
    bot = await startGroupBot(secret)
  })

  afterEach(async () => {
    await Promise.all(running.splice(0).map((each) => each.stop()))
    await Promise.all([bot.stop(), api.stop()])
  })

  function start(count = 1, key = secret): void {
    for (let each = 0; each < count; each += 1) {
      const config = { ...api.parts.config, alerts: { url: bot.url, secret: key } }
      const alerts = startAlerts({ ...api.parts, config }, { everyMs: 20, now: tellTime })
      if (alerts) running.push(alerts)
    }
  }

  function tellTime(): Date {
    asked += 1
    return now
  }

  const query = (text: string) => api.parts.database.pool.query(text)
  /** Three whole turns after this moment: what is to be said was said by then. */
  async function turns(): Promise<void> {
    const before = asked
    await until(() => expect(asked).toBeGreaterThan(before + 3 * running.length))
  }

  it('is told once what stands still, in one message, with what it is called in the runbook', async () => {
    await addEvent(api)
    await addHold(api, 'tenant', 'tk_a')
    start()
    await until(() => expect(bot.messages).toHaveLength(1))
    await turns()
    expect(bot.messages).toEqual([
      {
        title: '背调对接：告警',
        template: 'red',
        text: expect.stringMatching(
          /新告警 New[\s\S]*1 个事件处理失败[\s\S]*BgcEventsFailed[\s\S]*BgcHoldOpen: 1 parked \(tenant\)/,
        ),
      },
    ])
  })

  it('is told what is new beside what stands, what is over, and that it came back', async () => {
    await addEvent(api)
    start()
    await until(() => expect(bot.messages).toHaveLength(1))
    const hold = await addHold(api, 'app')
    await until(() => expect(bot.messages).toHaveLength(2))
    expect(bot.messages[1]?.text).toContain('BgcHoldOpen')
    expect(bot.messages[1]?.text).not.toContain('BgcEventsFailed')
    await turns()
    await query(`UPDATE holds SET released_at = now() WHERE id = ${hold}`)
    await until(() => expect(bot.messages).toHaveLength(3))
    expect(bot.messages[2]).toEqual({
      title: '背调对接：已恢复',
      template: 'green',
      text: expect.stringContaining('BgcHoldOpen'),
    })
    await addHold(api, 'app')
    await until(() => expect(bot.messages).toHaveLength(4))
    expect(bot.messages[3]?.text).toMatch(/新告警 New[\s\S]*BgcHoldOpen/)
  })

  it('is reminded after hours', async () => {
    await addEvent(api)
    start()
    await until(() => expect(bot.messages).toHaveLength(1))
    await turns()
    await query(`UPDATE alerts SET notified_at = now() - interval '5 hours'`)
    await until(() => expect(bot.messages).toHaveLength(2))
    expect(bot.messages[1]?.text).toMatch(/仍未恢复 Still standing[\s\S]*BgcEventsFailed/)
  })

  it('is told in the end when the bot did not take it at first', async () => {
    await addEvent(api)
    bot.trouble = { status: 200, body: '{"code":11232,"msg":"frequency limited"}' }
    start()
    await until(() => expect(api.log.join('')).toContain('the bot answered 200, code 11232'))
    bot.trouble = { status: 502, body: '<html>' }
    await until(() => expect(api.log.join('')).toContain('the bot answered 502, code none'))
    bot.trouble = null
    await until(() => expect(bot.messages).toHaveLength(1))
  })

  it('does not count as a fault of this service when the bot takes nothing, and is asked as often as usual', async () => {
    await addEvent(api)
    bot.trouble = { status: 200, body: '{"code":19024}' }
    start()
    await until(() => expect(api.log.join('')).toContain('alerts.not_told'))
    expect(api.log.join('')).not.toContain('loop.failed')
  })

  it('is told by one process of several', async () => {
    await addEvent(api)
    start(4)
    await until(() => expect(bot.messages).toHaveLength(1))
    await turns()
    expect(bot.messages).toHaveLength(1)
  })

  it('hears nothing personal, and the log neither the address nor the secret', async () => {
    await addFailedOrder(api, '7400000000000000601')
    await addOrder(api, '7400000000000000602')
    await setOrder(api, '7400000000000000602', { attention: ['stale'] })
    const [id = ''] = await addDeliveries(api, '7400000000000000602', [stage('7400000000000000602', 'st-1')])
    await setDelivery(api, id, { state: 'dead', dead_class: 'vendor', due_at: null, settled_at: new Date() })
    start()
    await until(() => expect(bot.messages).toHaveLength(1))
    const said = bot.messages[0]?.text ?? ''
    for (const name of ['BgcOrdersFailed', 'BgcOrdersStale', 'BgcDeliveriesDead']) expect(said).toContain(name)
    expect(said).not.toMatch(personal)
    expect(said).not.toContain('74000000000000006')
    bot.trouble = { status: 500, body: '' }
    await addHold(api, 'app')
    await until(() => expect(api.log.join('')).toContain('the bot answered 500'))
    expect(api.log.join('')).not.toMatch(/canary-token|secret-of-the-bot/)
  })

  it('is not reached with a wrong secret, and the log says the code', async () => {
    await addEvent(api)
    start(1, 'another-secret')
    await until(() => expect(api.log.join('')).toContain('the bot answered 200, code 19021'))
    expect(bot.messages).toEqual([])
  })

  it('gets a digest once a day from nine o’clock on', async () => {
    await addOrder(api, '7400000000000000603')
    start(2)
    await turns()
    expect(bot.messages).toEqual([])
    now = new Date('2026-01-02T01:00:00Z')
    await until(() => expect(bot.messages).toHaveLength(1))
    await turns()
    expect(bot.messages).toEqual([
      {
        title: '背调对接：每日汇总 2026-01-02',
        template: 'blue',
        text: expect.stringContaining('新订单 1，完成 0，终止 0'),
      },
    ])
    now = new Date('2026-01-03T02:00:00Z')
    await until(() => expect(bot.messages).toHaveLength(2))
  })
})

describe('a digest', () => {
  it.each([
    ['2026-01-02T00:59:59Z', 'Asia/Shanghai', null],
    ['2026-01-02T01:00:00Z', 'Asia/Shanghai', '2026-01-02'],
    ['2026-01-02T15:59:59Z', 'Asia/Shanghai', '2026-01-02'],
    ['2026-01-02T16:00:00Z', 'Asia/Shanghai', null],
    ['2026-01-02T09:00:00Z', 'UTC', '2026-01-02'],
  ])('at %s in %s is that of %s', (at, timeZone, day) => {
    expect(digestDay(new Date(at), timeZone)).toBe(day)
  })
})

describe('the conditions', () => {
  it('have the names of the alert rules, so that one runbook serves both', () => {
    const rules = readFileSync('ops/prometheus/alerts.yml', 'utf8')
    const known = [...rules.matchAll(/alert: (\w+)/g)].map(([, name]) => name)
    expect(Object.keys(conditions).filter((name) => !known.includes(name))).toEqual(['BgcOrdersStale'])
  })
})

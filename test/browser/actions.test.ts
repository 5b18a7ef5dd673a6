import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { secrets, startOperators } from '../operate/harness.js'
import { addDeliveries, addEvent, addHold, addOrder, setDelivery, setOrder, stage } from '../operate/rows.js'
import { browserPath, type Ground, isSound, signIn, startGround } from './kit.js'
import { addCatalog } from './world.js'

describe.skipIf(browserPath === undefined)('what the console does', () => {
  let ground: Ground

  beforeAll(async () => {
    ground = await startGround()
  })

  afterAll(() => ground.stop())

  const query = async (text: string, values: unknown[] = []) =>
    (await ground.api.parts.database.pool.query(text, values)).rows

  async function addDead(id: string): Promise<string> {
    await addOrder(ground.api, id)
    await setOrder(ground.api, id, { state: 'in_progress', vendor_order_id: `V-${id}` })
    const [delivery = ''] = await addDeliveries(ground.api, id, [stage(id, 'st-1')])
    const dead = { state: 'dead', dead_class: 'feishu', due_at: null, settled_at: new Date() }
    await setDelivery(ground.api, delivery, dead)
    return delivery
  }

  it('releases what is parked', async () => {
    const id = await addHold(ground.api, 'tenant', 'tk_parked')
    const page = await ground.open()
    await signIn(page, ground.api, secrets.all, '/console/queues')
    await page.click(`form[action="/console/holds/${id}/release"] button`)
    await expect.poll(() => page.locator('.notice').textContent()).toContain('Released; it is parked again')
    expect(await page.locator('tbody tr', { hasText: 'tk_parked' }).count()).toBe(0)
    expect(await query('SELECT released_at IS NOT NULL AS released FROM holds WHERE id = $1', [id])).toEqual([
      { released: true },
    ])
  })

  it('processes a failed event again', async () => {
    const id = await addEvent(ground.api, { event_id: 'ev-again' })
    const page = await ground.open()
    await signIn(page, ground.api, secrets.all, '/console/events?state=failed')
    await page.click(`form[action="/console/events/${id}/retry"] button`)
    await expect.poll(() => page.locator('.notice').textContent()).toBe('It waits to be processed again.')
    expect(await query('SELECT state FROM events WHERE id = $1', [id])).toEqual([{ state: 'new' }])
  })

  it('shows how a catalog differs, and sends what cannot be undone after a word about each call', async () => {
    const id = '6900000000000000201'
    await query(
      `INSERT INTO accounts (account_id, app_id, tenant_key, name, usage_list, state) VALUES ($1, 'cli_a', 'tk_a', '', '{}', 'confirmed')`,
      [id],
    )
    await addCatalog(ground.api, id)
    const page = await ground.open()
    const asked: string[] = []
    page.on('dialog', (dialog) => asked.push(dialog.message()))
    await signIn(page, ground.api, secrets.all, `/console/accounts/${id}`)
    expect(await rowsOf(page, 0)).toEqual(['packages added p2', 'packages removed p1'])
    await page.click(`form[action="/console/accounts/${id}/catalog"] button`)
    await expect.poll(() => page.locator('main .complaint').textContent()).toContain('packages.batch_delete')
    expect(await query('SELECT allowed FROM catalogs WHERE account_id = $1', [id])).toEqual([{ allowed: false }])
    await isSound(page, 'answer-plan')
    await page.click(`form[action="/console/accounts/${id}/catalog"] button`)
    await expect.poll(() => page.locator('.notice').textContent()).toBe('The catalog is being sent.')
    expect(asked).toEqual([expect.stringContaining('packages.batch_delete: ')])
    expect(await query('SELECT allowed, wanted_by FROM catalogs WHERE account_id = $1', [id])).toEqual([
      { allowed: true, wanted_by: 'operator' },
    ])
    const sent = await query('SELECT api FROM deliveries WHERE account_id = $1 ORDER BY seq', [id])
    expect(sent.map((row) => row.api)).toEqual(['packages.create', 'packages.batch_delete'])
  })

  it('shows a plan anew that changed since it was seen', async () => {
    const id = '6900000000000000202'
    await query(
      `INSERT INTO accounts (account_id, app_id, tenant_key, name, usage_list, state) VALUES ($1, 'cli_a', 'tk_a', '', '{}', 'confirmed')`,
      [id],
    )
    await addCatalog(ground.api, id)
    const page = await ground.open()
    await signIn(page, ground.api, secrets.all, `/console/accounts/${id}`)
    await page.click(`form[action="/console/accounts/${id}/catalog"] button`)
    await page.locator('input[name=seen]').waitFor({ state: 'attached' })
    await query(`UPDATE catalogs SET wanted = jsonb_set(wanted, '{packages,0,id}', '"p3"') WHERE account_id = $1`, [id])
    await page.click(`form[action="/console/accounts/${id}/catalog"] button`)
    await expect.poll(() => page.locator('[role=alert]').textContent()).toContain('The plan changed meanwhile')
    expect(await query('SELECT 1 FROM deliveries WHERE account_id = $1', [id])).toEqual([])
  })

  it('is reached by the keyboard alone: signing in, and sending a delivery again', async () => {
    const delivery = await addDead('7400000000000000331')
    const page = await ground.open()
    await page.goto(`${ground.api.url}/console/deliveries/${delivery}`)
    await tabTo(page, '#secret')
    await page.keyboard.type(secrets.all)
    await page.keyboard.press('Enter')
    await page.locator('header.top').waitFor()
    await page.keyboard.press('Tab')
    expect(await page.evaluate('document.activeElement.className')).toBe('skip')
    await tabTo(page, `form[action="/console/deliveries/${delivery}/retry"] button`)
    await page.keyboard.press('Enter')
    await expect.poll(() => page.locator('.notice').textContent()).toContain('waits to be sent again')
    expect(await query('SELECT state FROM deliveries WHERE id = $1', [delivery])).toEqual([{ state: 'pending' }])
  })

  it('slows down who guesses, and says for how long', async () => {
    const api = await startOperators()
    const page = await ground.open()
    await page.goto(`${api.url}/console`)
    for (let tries = 0; tries < 10; tries += 1) {
      await fetch(`${api.url}/console/sign-in`, { method: 'POST', body: new URLSearchParams({ secret: 'wrong' }) })
    }
    await page.fill('#secret', 'a-secret-that-nobody-has')
    await page.click('form[action="/console/sign-in"] button')
    expect(await page.locator('[role=alert]').textContent()).toMatch(/Too many wrong keys.*Try again in \d+ s/)
    await signIn(page, api)
    await api.stop()
  })
})

async function rowsOf(page: Page, table: number): Promise<string[]> {
  const rows = await page.locator('table').nth(table).locator('tbody tr').all()
  return Promise.all(rows.map(async (row) => (await row.locator('td').allTextContents()).join(' ')))
}

async function tabTo(page: Page, place: string): Promise<void> {
  for (let presses = 0; presses < 60; presses += 1) {
    await page.keyboard.press('Tab')
    if (await page.evaluate((wanted) => document.activeElement?.matches(wanted), place)) return
  }
  throw new Error(`Tab never came to ${place}`)
}

import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { secrets } from '../operate/harness.js'
import { addDeliveries, addFailedOrder, addOrder, setDelivery, setOrder, stage } from '../operate/rows.js'
import { browserPath, type Ground, isSound, signIn, startGround } from './kit.js'
import { fillWorld, ids } from './world.js'

describe.skipIf(browserPath === undefined)('the console in Chromium', () => {
  let ground: Ground
  let dead: string

  beforeAll(async () => {
    ground = await startGround()
    ;({ dead } = await fillWorld(ground.api))
  })

  afterAll(() => ground.stop())

  it('signs in and out, and says when a secret is wrong', async () => {
    const page = await ground.open()
    await page.goto(`${ground.api.url}/console/orders?state=failed`)
    await page.fill('#secret', 'a-secret-that-nobody-has')
    await page.click('form[action="/console/sign-in"] button')
    expect(await page.locator('[role=alert]').textContent()).toContain('No key has this secret')
    await page.fill('#secret', secrets.all)
    await page.click('form[action="/console/sign-in"] button')
    await page.waitForURL('**/console/orders?state=failed')
    expect(await page.locator('tbody tr').count()).toBe(1)
    await page.click('form[action="/console/sign-out"] button')
    await expect.poll(() => page.locator('#secret').count()).toBe(1)
    await page.goBack()
    await expect.poll(() => page.locator('#secret').count()).toBe(1)
    expect(await page.locator('tbody tr').count()).toBe(0)
    await page.goto(`${ground.api.url}/console/orders`)
    expect(await page.locator('#secret').count()).toBe(1)
  })

  it('changes its language for good', async () => {
    const page = await ground.open()
    await signIn(page, ground.api, secrets.read, '/console/orders')
    await page.click('form[action="/console/language"] button')
    expect(await page.locator('h1').textContent()).toBe('订单')
    await page.goto(`${ground.api.url}/console/events`)
    expect(await page.locator('h1').textContent()).toBe('事件')
  })

  it('finds an order by filters and by the candidate’s phone number', async () => {
    const page = await ground.open()
    await signIn(page, ground.api, secrets.all, '/console/orders')
    await page.fill('#filter-q', ids.stuck)
    await page.click('form.filters[method=get] button')
    await page.click(`tbody a[href="/console/orders/${ids.stuck}"]`)
    expect(await page.locator('h1').textContent()).toContain(ids.stuck)
    await page.goto(`${ground.api.url}/console/orders`)
    await page.click('summary')
    await page.fill('#mobile', '13800138000')
    await page.click('form[action="/console/orders/search"] button')
    await expect.poll(() => page.locator('h1').textContent()).toMatch(/orders found/)
    await isSound(page, 'answer-search')
    expect(page.url()).not.toContain('13800138000')
  })

  it('sends a dead delivery again', async () => {
    const id = '7400000000000000311'
    await addOrder(ground.api, id)
    await setOrder(ground.api, id, { state: 'in_progress', vendor_order_id: 'V-311' })
    const [delivery = ''] = await addDeliveries(ground.api, id, [stage(id, 'st-1')])
    await setDelivery(ground.api, delivery, {
      state: 'dead',
      dead_class: 'feishu',
      due_at: null,
      settled_at: new Date(),
    })
    const page = await ground.open()
    await signIn(page, ground.api, secrets.all, `/console/deliveries/${delivery}`)
    await page.click(`form[action="/console/deliveries/${delivery}/retry"] button`)
    await expect.poll(() => page.locator('.notice').textContent()).toContain('waits to be sent again')
    expect(await page.locator('.state').first().textContent()).toBe('pending')
  })

  it('sends many again after a dry run', async () => {
    const id = '7400000000000000312'
    await addOrder(ground.api, id)
    await setOrder(ground.api, id, { state: 'in_progress', vendor_order_id: 'V-312' })
    const [delivery = ''] = await addDeliveries(ground.api, id, [stage(id, 'st-1')])
    await setDelivery(ground.api, delivery, {
      state: 'dead',
      dead_class: 'vendor',
      due_at: null,
      settled_at: new Date(),
    })
    const page = await ground.open()
    await signIn(page, ground.api, secrets.all, '/console/deliveries?state=dead&class=vendor')
    await page.click('form[action="/console/deliveries/retry"] button')
    await expect
      .poll(() => page.locator('main p:visible').first().textContent())
      .toContain('1 of 1 would be sent again')
    await isSound(page, 'answer-dry-run')
    const row = () => ground.api.parts.database.pool.query('SELECT state FROM deliveries WHERE id = $1', [delivery])
    expect((await row()).rows[0].state).toBe('dead')
    await page.click('form[action="/console/deliveries/retry"] button')
    await expect
      .poll(() => page.locator('main p:visible').first().textContent())
      .toContain('1 of 1 wait to be sent again')
    expect((await row()).rows[0].state).toBe('pending')
  })

  it('shows the contents of a delivery only when asked, and audits it', async () => {
    const page = await ground.open()
    await signIn(page, ground.api, secrets.all, `/console/deliveries/${dead}`)
    expect(await page.locator('pre').last().textContent()).not.toContain('canary')
    await page.click(`form[action="/console/deliveries/${dead}/reveal"] button`)
    await expect.poll(() => page.locator('pre').last().textContent()).toContain('canary-stage')
    await isSound(page, 'answer-revealed')
    await page.goto(`${ground.api.url}/console/audit?action=deliveries.reveal`)
    expect(await page.locator('tbody tr').count()).toBe(1)
  })

  it('erases personal data, for good', async () => {
    const id = '7400000000000000313'
    await addFailedOrder(ground.api, id)
    await setOrder(ground.api, id, { state: 'canceled', failure: null })
    const page = await ground.open()
    await signIn(page, ground.api, secrets.all, `/console/orders/${id}`)
    await page.locator('summary', { hasText: 'Erase personal data' }).click()
    await page.click(`form[action="/console/orders/${id}/erase"] button`)
    await expect.poll(() => page.locator('.notice').textContent()).toContain('erased')
    expect(await page.locator('summary', { hasText: 'Erase' }).count()).toBe(0)
    const found = await ground.api.parts.database.pool.query(
      'SELECT data_key, payload_sealed FROM orders WHERE background_check_id = $1',
      [id],
    )
    expect(found.rows).toEqual([{ data_key: null, payload_sealed: null }])
  })

  it('reads without JavaScript', async () => {
    const page = await ground.open({ javaScriptEnabled: false })
    await signIn(page, ground.api, secrets.all, '/console/orders')
    await page.click(`a[href="/console/orders/${ids.failed}"]`)
    expect(await page.locator('.complaint').textContent()).toContain('the vendor refused the order')
    await page.click(`form[action="/console/orders/${ids.failed}/retry"] button`)
    expect(await page.locator('.notice').textContent()).toContain('placed again')
  })
})

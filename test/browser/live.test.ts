import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { secrets } from '../operate/harness.js'
import { addPolledOrder, setOrder } from '../operate/rows.js'
import { browserPath, type Ground, signIn, startGround } from './kit.js'
import { fillWorld, ids } from './world.js'

describe.skipIf(browserPath === undefined)('pages of the console that are looked at', () => {
  let ground: Ground

  beforeAll(async () => {
    ground = await startGround()
    await fillWorld(ground.api)
  })

  afterAll(() => ground.stop())

  it('follow what happens by themselves', async () => {
    const page = await ground.open()
    await page.clock.install()
    await signIn(page, ground.api, secrets.read, `/console/orders/${ids.polled}`)
    expect(await page.locator('.state').first().textContent()).toBe('ordered')
    await setOrder(ground.api, ids.polled, { state: 'in_progress' })
    await page.clock.fastForward(10_000)
    await expect.poll(() => page.locator('.state').first().textContent()).toBe('in_progress')
  })

  it('rest while somebody is about to press a button in them', async () => {
    const page = await ground.open()
    await page.clock.install()
    await signIn(page, ground.api, secrets.all, `/console/orders/${ids.failed}`)
    const asked: string[] = []
    page.on('request', (request) => asked.push(request.url()))
    await page.hover(`form[action="/console/orders/${ids.failed}/retry"] button`)
    await page.clock.runFor(10_000)
    expect(asked).toEqual([])
    await page.hover('h1')
    await page.clock.runFor(10_000)
    await expect.poll(() => asked.length).toBeGreaterThan(0)
  })

  it('keep what is open, what is typed and where the keyboard is', async () => {
    const id = '7400000000000000321'
    await addPolledOrder(ground.api, id, 'V-321')
    const page = await ground.open()
    await signIn(page, ground.api, secrets.all, `/console/orders/${id}`)
    await page.locator('summary', { hasText: 'Stop the check' }).click()
    await page.fill('#stage_name', 'half a name')
    await page.fill('#reason', 'half a reason')
    await page.locator('summary', { hasText: 'Stop the check' }).focus()
    await setOrder(ground.api, id, { attention: ['stale'] })
    await page.evaluate('htmx.trigger("#order", "refresh")')
    await expect.poll(() => page.locator('.flags').textContent()).toContain('without a change for long')
    expect(await page.inputValue('#stage_name')).toBe('half a name')
    expect(await page.inputValue('#reason')).toBe('half a reason')
    expect(
      await page.locator('details', { hasText: 'Stop the check' }).evaluate((each) => each.hasAttribute('open')),
    ).toBe(true)
    expect(await page.evaluate('document.activeElement.textContent')).toBe('Stop the check in Feishu')
  })

  it('keep the row that somebody is at when another comes in above it and all change', async () => {
    const page = await ground.open()
    await signIn(page, ground.api, secrets.all, '/console/orders')
    await page.focus(`tbody a[href="/console/orders/${ids.failed}"]`)
    const before = await page.locator('tbody tr').count()
    await addPolledOrder(ground.api, '7400000000000000322', 'V-322')
    await ground.api.parts.database.pool.query(`UPDATE orders SET attention = attention || '{vendor_time}'`)
    await page.evaluate('htmx.trigger("#orders", "refresh")')
    await expect.poll(() => page.locator('tbody tr').count()).toBe(before + 1)
    expect(await page.evaluate('document.activeElement.textContent')).toBe(ids.failed)
  })

  it('stay and say so when the session is over, and go on after the next sign-in', async () => {
    const page = await ground.open()
    await signIn(page, ground.api, secrets.read, '/console/orders')
    const rows = await page.locator('tbody tr').count()
    await page.context().clearCookies()
    await page.evaluate('htmx.trigger("#orders", "refresh")')
    await page.locator('[data-live-state=over]').waitFor()
    expect(await page.locator('tbody tr').count()).toBe(rows)
    expect(await page.locator('#secret').count()).toBe(0)
    await signIn(await page.context().newPage(), ground.api, secrets.read)
    await page.evaluate('htmx.trigger("#orders", "refresh")')
    await page.locator('[data-live-state=over]').waitFor({ state: 'hidden' })
  })

  it.each([
    ['cannot be reached', 'abort'],
    ['fails', 'fail'],
    ['is not who answers', 'another'],
  ])('stay and say so when the service %s', async (_what, how) => {
    const page = await ground.open({}, /ERR_FAILED|Failed to fetch|status of [45]/)
    await signIn(page, ground.api, secrets.read, '/console/orders')
    const rows = await page.locator('tbody tr').count()
    await page.route('**/console/orders', (route) => {
      if (how === 'abort') return route.abort()
      return route.fulfill({ status: how === 'fail' ? 503 : 200, contentType: 'text/html', body: '<h1>Elsewhere</h1>' })
    })
    await page.evaluate('htmx.trigger("#orders", "refresh")')
    await page.locator('[data-live-state=gone]').waitFor()
    expect(await page.locator('tbody tr').count()).toBe(rows)
    await page.unroute('**/console/orders')
    await page.evaluate('htmx.trigger("#orders", "refresh")')
    await page.locator('[data-live-state=gone]').waitFor({ state: 'hidden' })
  })

  it('draw calls against the limit, and the drawing stays through a refresh', async () => {
    const page = await ground.open()
    await signIn(page, ground.api, secrets.read)
    expect(await page.locator('.tiles .bad', { hasText: 'Dead deliveries' }).textContent()).toContain('1')
    expect(await page.locator('.counts', { hasText: 'in_progress' }).count()).toBe(1)
    const chart = '[id="chart-cli_a-tk_a-update_progress"]'
    expect(await page.locator(`${chart} .u-legend`).textContent()).toMatch(/Calls per minute.*Limit per minute.*429s/s)
    expect(await page.evaluate(coloursIn, `${chart} canvas`)).toBeGreaterThan(2)
    await page.evaluate(
      (place) => Object.assign(document.querySelector(place) ?? {}, { isTheSame: true }),
      `${chart} canvas`,
    )
    await page.locator('[id="usage-cli_a-tk_a-update_progress"] summary').click()
    const before = await page.getAttribute(chart, 'data-chart')
    await ground.api.parts.database.pool.query(
      `UPDATE call_minutes SET calls = calls + 7 WHERE api = 'update_progress'`,
    )
    await page.evaluate('htmx.trigger("#overview", "refresh")')
    await expect.poll(() => page.getAttribute(chart, 'data-chart')).not.toBe(before)
    expect(await page.evaluate(`document.querySelector('${chart} canvas').isTheSame`)).toBe(true)
    expect(await page.locator('[id="usage-cli_a-tk_a-update_progress"] tbody tr').first().isVisible()).toBe(true)
  })
})

/** How many colours were painted: an empty canvas has one. */
function coloursIn(place: string): number {
  const canvas = document.querySelector(place)
  if (!(canvas instanceof HTMLCanvasElement)) return 0
  const { data } = canvas.getContext('2d')?.getImageData(0, 0, canvas.width, canvas.height) ?? { data: [] }
  const colours = new Set<string>()
  for (let at = 0; at < data.length; at += 4) colours.add(data.slice(at, at + 4).join())
  return colours.size
}

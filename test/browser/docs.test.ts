import axe from 'axe-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { browserPath, type Ground, startGround } from './kit.js'

const looks = [
  { name: 'wide and light', options: { colorScheme: 'light' } },
  { name: 'narrow and dark', options: { colorScheme: 'dark', viewport: { width: 360, height: 740 } } },
  { name: 'narrow and light', options: { colorScheme: 'light', viewport: { width: 360, height: 740 } } },
] as const

describe.skipIf(browserPath === undefined)('the pages below /docs in Chromium', () => {
  let ground: Ground
  beforeAll(async () => {
    ground = await startGround()
  })
  afterAll(() => ground.stop())

  it.each(looks)('read $name: nothing runs over, and axe finds nothing serious', async ({ options }) => {
    const page = await ground.open(options)
    for (const path of ['/docs', '/docs/problems']) {
      await page.goto(`${ground.api.url}${path}`)
      const wider = await page.evaluate('document.documentElement.scrollWidth - document.documentElement.clientWidth')
      expect(wider, `${path} runs over by so many pixels`).toBeLessThanOrEqual(0)
      await page.evaluate(axe.source)
      const found = await page.evaluate<axe.AxeResults>('axe.run()')
      const serious = found.violations.filter(({ impact }) => impact === 'serious' || impact === 'critical')
      expect(serious.map(({ id, nodes }) => `${id}: ${nodes[0]?.html}`)).toEqual([])
    }
    await page.context().close()
  })

  it('need no script: a problem leads to what it means, and an operation to its schema', async () => {
    const page = await ground.open({ javaScriptEnabled: false })
    await page.goto(`${ground.api.url}/docs`)
    await page.click('nav a[href="#orders.cancel"]')
    expect(page.url()).toMatch(/#orders\.cancel$/)
    await page.click('section:has(#orders\\.cancel) a[href="#Order"]')
    expect(page.url()).toMatch(/#Order$/)
    await page.click('section:has(#orders\\.cancel) a[href="/docs/problems#order-ended"]')
    await page.waitForURL('**/docs/problems#order-ended')
    expect(await page.locator('#order-ended + dd').textContent()).toBe('409: The order has ended')
    await page.context().close()
  })
})

import { existsSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import axe from 'axe-core'
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core'
import { expect } from 'vitest'
import { type Api, secrets, startOperators } from '../operate/harness.js'

const places = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome']
export const browserPath = places.find(existsSync)

export interface Ground {
  api: Api
  browser: Browser
  /**
   * A page of its own session, in English on a wide screen unless said otherwise. It fails its test when the browser
   * complains of anything that is not `expected`.
   */
  open(options?: BrowserContextOptions, expected?: RegExp): Promise<Page>
  stop(): Promise<void>
}

/** The console over the operators' API on a real, empty database, and a real browser. */
export async function startGround(): Promise<Ground> {
  const api = await startOperators({ gauges: true })
  const browser = await chromium.launch({
    ...(browserPath !== undefined && { executablePath: browserPath }),
    args: ['--no-sandbox', '--disable-dev-shm-usage'],
  })
  return {
    api,
    browser,
    open: async (options = {}, expected = /status of 4/) => {
      const context = await browser.newContext({ locale: 'en-US', viewport: { width: 1200, height: 900 }, ...options })
      const page = await context.newPage()
      page.on('console', (message) => {
        // The document of a refused sign-in has the status that it should have.
        if (message.type() === 'error' && !expected.test(message.text())) {
          throw new Error(`the browser complained: ${message.text()}`)
        }
      })
      page.on('pageerror', (failure) => {
        throw failure
      })
      page.on('dialog', (dialog) => void dialog.accept())
      return page
    },
    stop: async () => {
      await browser.close()
      await api.stop()
    },
  }
}

export async function signIn(page: Page, { url }: Api, secret: string = secrets.all, path = '/console'): Promise<void> {
  await page.goto(`${url}${path}`)
  await page.fill('#secret', secret)
  await page.click('form[action="/console/sign-in"] button')
  await expect.poll(() => page.locator('header.top').count()).toBe(1)
  await page.waitForLoadState()
}

/** Looks at a page as people with and without eyes do. */
export async function isSound(page: Page, name: string): Promise<void> {
  await photograph(page, name)
  const wider = await page.evaluate('document.documentElement.scrollWidth - document.documentElement.clientWidth')
  expect(wider, `${name} runs over by so many pixels`).toBeLessThanOrEqual(0)
  await page.evaluate(axe.source)
  const { violations } = await page.evaluate<axe.AxeResults>('axe.run({ resultTypes: ["violations"] })')
  const serious = violations.filter(({ impact }) => impact === 'serious' || impact === 'critical')
  expect(
    serious.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`),
    name,
  ).toEqual([])
}

/** With `CONSOLE_PHOTOS` set: kept to be looked at, in a folder that git ignores. */
async function photograph(page: Page, name: string): Promise<void> {
  if (process.env['CONSOLE_PHOTOS'] === undefined) return
  const folder = join('artifacts', 'console')
  await mkdir(folder, { recursive: true })
  await page.screenshot({ path: join(folder, `${name}.png`), fullPage: true })
}

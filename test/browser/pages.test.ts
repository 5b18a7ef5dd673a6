import { afterAll, beforeAll, describe, it } from 'vitest'
import { browserPath, type Ground, isSound, signIn, startGround } from './kit.js'
import { fillWorld, ids } from './world.js'

const looks = [
  { name: 'wide-en-light', options: { locale: 'en-US' } },
  { name: 'wide-zh-dark', options: { locale: 'zh-CN', colorScheme: 'dark' } },
  { name: 'narrow-en-dark', options: { locale: 'en-GB', colorScheme: 'dark', viewport: { width: 360, height: 740 } } },
  { name: 'narrow-zh-light', options: { locale: 'zh-CN', viewport: { width: 360, height: 740 } } },
] as const

describe.skipIf(browserPath === undefined)('the pages of the console', () => {
  let ground: Ground
  let dead: string

  beforeAll(async () => {
    ground = await startGround()
    ;({ dead } = await fillWorld(ground.api))
  })

  afterAll(() => ground.stop())

  const everyPage = () => [
    '',
    '/orders',
    `/orders/${ids.polled}`,
    `/orders/${ids.failed}`,
    `/orders/${ids.stuck}`,
    '/deliveries',
    `/deliveries/${dead}`,
    '/events',
    '/accounts',
    '/accounts/6900000000000000101',
    '/queues',
    '/quotas',
    '/quotas?span=7d',
    '/findings',
    '/audit',
    '/nothing-here',
  ]

  it.each(looks)(
    'read: nothing runs over, and axe finds nothing serious: $name',
    {
      timeout: 240_000,
    },
    async ({ name, options }) => {
      const page = await ground.open(options)
      await page.goto(`${ground.api.url}/console`)
      await isSound(page, `${name}-sign-in`)
      await signIn(page, ground.api)
      for (const path of everyPage()) {
        await page.goto(`${ground.api.url}/console${path}`)
        await page.evaluate('for (const each of document.querySelectorAll("details")) each.open = true')
        await isSound(page, `${name}${path.replaceAll(/[/?=]/g, '-')}`)
      }
      await page.context().close()
    },
  )
})

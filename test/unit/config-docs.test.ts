import { readFile } from 'node:fs/promises'
import { parseEnv } from 'node:util'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { envExample, environmentPage } from '../../src/config/docs.js'
import { variables } from '../../src/config/variables.js'
import { readConfig } from '../../src/config.js'

const committed = (path: string) => readFile(new URL(`../../${path}`, import.meta.url), 'utf8')

describe('what is written from the table of variables', () => {
  it('is what .env.example and docs/environment.md hold (`npm run docs` writes them)', async () => {
    expect(await committed('.env.example')).toBe(envExample())
    expect(await committed('docs/environment.md')).toBe(environmentPage())
  })

  it('differs as soon as a variable does', () => {
    const table = { ...variables, BGC_NEW: { parse: z.string(), about: 'Something new.', example: 'a|b' } }
    expect(envExample(table)).toContain('# Something new.\n# BGC_NEW=a|b\n')
    expect(environmentPage(table)).toContain('| `BGC_NEW` | none | Something new. Example: `a\\|b`. |\n')
  })

  it('leaves no variable out', () => {
    for (const name of Object.keys(variables)) {
      expect(envExample()).toMatch(new RegExp(`^(# )?${name}=`, 'm'))
      expect(environmentPage()).toContain(`| \`${name}\``)
    }
    expect(() => envExample({ OTHER: { parse: z.string(), about: '' } })).toThrow('no group in src/config/docs.ts fits')
  })

  it('has lines of no more than 120 characters in .env.example', () => {
    expect(
      envExample()
        .split('\n')
        .filter((line) => line.length > 120),
    ).toEqual([])
  })

  /** As a person fills it in. */
  const filled = () => parseEnv(envExample().replaceAll('=replace-me', '=my-own'))

  it('starts once its placeholders are replaced', () => {
    const { feishu, vendor } = readConfig(filled())
    expect(feishu.apps).toHaveLength(1)
    expect(vendor.baseUrl).toMatch(/^https:/)
  })

  it('says which placeholders are left, copied as it is', () => {
    expect(() => readConfig(parseEnv(envExample()))).toThrow(
      /FEISHU_APP_SECRET: expected a value of your own, got the placeholder/,
    )
  })

  it('shows commented values that work when they are turned on one by one, placeholders for keys aside', () => {
    const off = envExample().matchAll(/^# ([A-Z_]+)=(.*)$/gm)
    for (const [, name = '', value = ''] of off) {
      if (/^(BGC_ENCRYPTION_KEYS|BGC_API_KEYS|BGC_ALERT_WEBHOOK_SECRET|FEISHU_APPS_FILE)$/.test(name)) continue
      if (/^REDIS_(USERNAME|PASSWORD|TLS|SENTINEL_PASSWORD)$/.test(name)) continue
      const beside = name.startsWith('REDIS_SENTINEL')
        ? { REDIS_SENTINELS: 'sentinel-1:26379', REDIS_SENTINEL_NAME: 'mymaster' }
        : {}
      expect(() => readConfig({ ...filled(), ...beside, [name]: value }), name).not.toThrow()
    }
  })
})

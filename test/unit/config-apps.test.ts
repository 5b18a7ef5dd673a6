import { describe, expect, it } from 'vitest'
import { complaintsOf, complete, read } from './config-kit.js'

const listed = {
  FEISHU_APPS_FILE: '/apps.json',
  FEISHU_APP_ID: undefined,
  FEISHU_APP_SECRET: undefined,
  FEISHU_ENCRYPT_KEY: undefined,
  FEISHU_VERIFICATION_TOKEN: undefined,
}
const store = {
  app_id: 'cli_store',
  app_secret: 's3cret',
  app_type: 'store',
  encrypt_key: 'k3y',
  verification_token: 't0ken',
}

function complaintsAbout(apps: unknown, changes: Record<string, string> = {}): readonly string[] {
  return complaintsOf({ ...listed, ...changes }, { '/apps.json': JSON.stringify(apps) })
}

describe('the single app', () => {
  it('is custom, at Feishu, unless the environment says otherwise', () => {
    expect(read({}).feishu.apps).toEqual([
      {
        appId: 'cli_a',
        appSecret: 'app-secret',
        appType: 'custom',
        encryptKey: 'encrypt-key',
        verificationToken: 'token',
        baseUrl: 'https://open.feishu.cn',
      },
    ])
    const [app] = read({ FEISHU_APP_TYPE: 'store', FEISHU_BASE_URL: 'http://127.0.0.1:8080/feishu/' }).feishu.apps
    expect(app).toMatchObject({ appType: 'store', baseUrl: 'http://127.0.0.1:8080/feishu' })
  })

  it.each(Object.keys(complete).filter((name) => name.startsWith('FEISHU_')))('cannot do without %s', (name) => {
    expect(complaintsOf({ [name]: '' })).toEqual([`${name}: required unless FEISHU_APPS_FILE lists the apps`])
  })
})

describe('the apps file', () => {
  it('lists apps, each with the base URL of the environment or its own', () => {
    const custom = { ...store, app_id: 'cli_b', app_type: 'custom', base_url: 'https://open.larksuite.com/' }
    const { apps } = read(listed, { '/apps.json': JSON.stringify([store, custom]) }).feishu
    expect(apps).toEqual([
      {
        appId: 'cli_store',
        appSecret: 's3cret',
        appType: 'store',
        encryptKey: 'k3y',
        verificationToken: 't0ken',
        baseUrl: 'https://open.feishu.cn',
      },
      expect.objectContaining({ appId: 'cli_b', appType: 'custom', baseUrl: 'https://open.larksuite.com' }),
    ])
  })

  it('brings one complaint when it cannot be read, or is no JSON', () => {
    expect(complaintsOf(listed)).toEqual(['FEISHU_APPS_FILE: cannot be read (ENOENT)'])
    expect(complaintsOf(listed, { '/apps.json': '[{"app_secret":"s3cret"' })).toEqual([
      'FEISHU_APPS_FILE: expected JSON',
    ])
  })

  it('says which entry is wrong, and shows no value', () => {
    const complaints = complaintsAbout([store, { ...store, app_id: '', app_type: 's3cret', app_key: 's3cret' }])
    expect(complaints).toHaveLength(3)
    for (const complaint of complaints) expect(complaint).toMatch(/^FEISHU_APPS_FILE: entry 2/)
    expect(complaints.join()).not.toContain('s3cret')
  })

  it.each([
    ['no list', store],
    ['an empty list', []],
    ['an app twice', [store, store]],
  ])('is refused with %s', (_, apps) => {
    expect(complaintsAbout(apps)).toHaveLength(1)
  })

  it('does not go together with the single app', () => {
    const single = { FEISHU_APP_ID: 'cli_a', FEISHU_APP_TYPE: 'store' }
    expect(complaintsAbout([store], single)).toEqual([
      'FEISHU_APP_ID: must not be set together with FEISHU_APPS_FILE',
      'FEISHU_APP_TYPE: must not be set together with FEISHU_APPS_FILE',
    ])
  })
})

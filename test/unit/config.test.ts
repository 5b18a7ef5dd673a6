import { describe, expect, it } from 'vitest'
import { type Variable, variables } from '../../src/config/variables.js'
import { ConfigError, readConfig, readDatabaseConfig } from '../../src/config.js'
import { complaintsOf, complete, filesOf, read } from './config-kit.js'

const key = (byte: number) => Buffer.alloc(32, byte).toString('base64')

describe('a complete environment', () => {
  it('starts with the documented defaults', () => {
    const config = read({})
    expect(config).toMatchObject({
      host: '0.0.0.0',
      port: 3000,
      roles: ['receiver', 'poller', 'sync'],
      dataDir: './.data',
      stopTimeoutMs: 25_000,
      autoMigrate: true,
      apiKeys: [],
      encryptionKeys: [],
      feishu: {
        maxEventAgeMs: 32_400_000,
        timeoutMs: 10_000,
        rateLimits: [
          { limit: 50, windowMs: 1000 },
          { limit: 1000, windowMs: 60_000 },
        ],
        rateLimitsSlow: [{ limit: 10, windowMs: 1000 }],
        retry: { baseMs: 1000, maxMs: 900_000, maxAgeMs: 259_200_000 },
      },
      vendor: { adapter: 'http', timeoutMs: 10_000, pollMinMs: 30_000, pollMaxMs: 1_800_000, concurrency: 16 },
    })
    expect(config).not.toHaveProperty('databaseUrl')
    expect(config).not.toHaveProperty('redis')
    expect(config).not.toHaveProperty('internalPort')
  })

  it('has base URLs without a slash at the end', () => {
    expect(read({}).vendor.baseUrl).toBe('https://vendor.example.com/feishu')
  })

  it('counts an empty string as not set, for every variable', () => {
    const empty = Object.fromEntries(
      Object.entries<Variable<unknown>>(variables)
        .filter(([name]) => !(name in complete))
        .flatMap(([name, { secret }]) => (secret ? [name, `${name}_FILE`] : [name]))
        .map((name) => [name, '']),
    )
    expect(read(empty)).toEqual(read({}))
  })
})

describe('complaints', () => {
  it('come all at once, in one message', () => {
    const env = { PORT: '70000', LOG_LEVEL: 'loud', BGC_SURPRISE: '1', VENDOR_POLL_MIN_MS: 'soon' }
    const start = () => readConfig(env, filesOf({}))
    expect(start).toThrow(ConfigError)
    for (const name of [...Object.keys(env), ...Object.keys(complete)]) expect(start).toThrow(`- ${name}: `)
  })

  it('name every variable that the table calls required, and no other', () => {
    const said = () => readConfig({ NODE_ENV: 'production' }, filesOf({}))
    const required = Object.entries<Variable<unknown>>(variables).filter(([, variable]) => variable.required)
    expect(said).toThrow(
      new ConfigError(
        required
          .map(([name, variable]) => `${name}: required ${variable.required}`)
          .toSorted((a, b) => order(a) - order(b)),
      ).message,
    )
  })

  it('show what was given, unless it is a secret', () => {
    expect(complaintsOf({ PORT: 'http' })).toEqual(['PORT: expected a port from 0 to 65535, got "http"'])
    const secrets = {
      DATABASE_URL: 'mysql://bgc:pa55word@db/bgc',
      REDIS_URL: 'http://:pa55word@redis',
      BGC_API_KEYS: 'ops:pa55word',
      BGC_ENCRYPTION_KEYS: 'k1:pa55word',
    }
    const complaints = complaintsOf(secrets)
    expect(complaints).toHaveLength(4)
    expect(complaints.join()).not.toContain('pa55word')
  })

  it('hide the password in an address', () => {
    const given = { VENDOR_BASE_URL: 'https://user:pa55word@vendor.example.com', HTTPS_PROXY: 'ftp://u:pa55word@proxy' }
    expect(complaintsOf(given)).toEqual([
      'VENDOR_BASE_URL: expected a base URL without a user or a password, got "https://***@vendor.example.com"',
      'HTTPS_PROXY: expected the address of an http or https proxy',
    ])
  })

  it('are made about a default that would not do', () => {
    for (const [name, { fallback, parse }] of Object.entries<Variable<unknown>>(variables)) {
      if (fallback) expect(parse.safeParse(fallback).success, name).toBe(true)
    }
  })
})

function order(complaint: string): number {
  return ['VENDOR_', 'FEISHU_', 'BGC_'].findIndex((prefix) => complaint.startsWith(prefix))
}

describe('a secret in a file', () => {
  it('is read, and a trailing newline is cut', () => {
    const unix = read({ VENDOR_API_KEY: '', VENDOR_API_KEY_FILE: '/key' }, { '/key': 'from a file\n' })
    const windows = read({ VENDOR_API_KEY: undefined, VENDOR_API_KEY_FILE: '/key' }, { '/key': 'two\n\r\n' })
    expect(unix.vendor.apiKey).toBe('from a file')
    expect(windows.vendor.apiKey).toBe('two\n')
  })

  it('works for DATABASE_URL and REDIS_URL', () => {
    const files = { '/db': 'postgresql://db/bgc\n', '/redis': 'redis://redis' }
    expect(read({ DATABASE_URL_FILE: '/db', REDIS_URL_FILE: '/redis' }, files)).toMatchObject({
      databaseUrl: 'postgresql://db/bgc',
      redis: { kind: 'single', url: 'redis://redis' },
    })
  })

  it('is refused beside the plain name', () => {
    expect(complaintsOf({ VENDOR_API_KEY_FILE: '/key' }, { '/key': 'x' })).toEqual([
      'VENDOR_API_KEY: set together with VENDOR_API_KEY_FILE; expected one of them',
    ])
  })

  it.each([
    ['is missing', {}, 'VENDOR_API_KEY_FILE: cannot be read (ENOENT)'],
    ['is empty', { '/key': '\n' }, 'VENDOR_API_KEY_FILE: the file is empty'],
  ])('brings one complaint when it %s', (_, files: Record<string, string>, complaint) => {
    expect(complaintsOf({ VENDOR_API_KEY: undefined, VENDOR_API_KEY_FILE: '/key' }, files)).toEqual([complaint])
    const app = complaintsOf({ FEISHU_APP_SECRET: undefined, FEISHU_APP_SECRET_FILE: '/key' }, files)
    expect(app).toEqual([complaint.replace('VENDOR_API_KEY', 'FEISHU_APP_SECRET')])
  })

  it('is not known for a name that is no secret', () => {
    expect(complaintsOf({ FEISHU_APP_ID_FILE: '/id' })).toEqual([
      'FEISHU_APP_ID_FILE: not a known name; docs/environment.md lists them',
    ])
  })
})

describe('names', () => {
  it.each(['BGC_ROLE', 'FEISHU_APPID', 'VENDOR_URL', 'BGC_BRIDGE_TYPO'])(
    '%s is refused, since it is unknown',
    (name) => {
      expect(complaintsOf({ [name]: 'x' })).toEqual([`${name}: not a known name; docs/environment.md lists them`])
    },
  )

  it.each([
    'BGC_BRIDGE_SERVICE_HOST',
    'BGC_BRIDGE_SERVICE_PORT',
    'BGC_BRIDGE_SERVICE_PORT_HTTP',
    'BGC_BRIDGE_PORT',
    'BGC_BRIDGE_PORT_3000_TCP',
    'BGC_BRIDGE_PORT_3000_TCP_ADDR',
    'BGC_BRIDGE_POLLER_SERVICE_HOST',
  ])('%s is passed over, since Kubernetes makes it', (name) => {
    expect(complaintsOf({ [name]: 'tcp://10.0.0.1:3000' })).toEqual([])
  })

  it('of an own adapter come with it, and http does not take them', () => {
    const own = { VENDOR_REGION: 'cn', VENDOR_EMPTY: '' }
    const config = read({ ...own, VENDOR_ADAPTER: './own.js', VENDOR_API_KEY: undefined })
    expect(config.vendor.environment).toEqual({ VENDOR_REGION: 'cn', VENDOR_BASE_URL: config.vendor.baseUrl })
    expect(complaintsOf(own).map((complaint) => complaint.split(':')[0])).toEqual(Object.keys(own))
  })
})

describe('keys', () => {
  const secret = 'x'.repeat(24)

  it('of the API carry all scopes, or those that are named', () => {
    expect(read({ BGC_API_KEYS: `ops:${secret}, bot:${'y'.repeat(30)}:read+notify` }).apiKeys).toEqual([
      { name: 'ops', secret, scopes: ['read', 'operate', 'reveal', 'erase', 'notify'] },
      { name: 'bot', secret: 'y'.repeat(30), scopes: ['read', 'notify'] },
    ])
  })

  it.each([
    ['ops', 'entry 1: expected name:secret or name:secret:scope+scope'],
    [`ops:${'x'.repeat(23)}`, 'entry 1: expected a secret of 24 characters or more'],
    [`ops:${secret}:read+fly`, 'entry 1: expected scopes out of read, operate, reveal, erase, notify'],
    [`ops:${secret},ops:${'y'.repeat(24)}`, 'entry 2: the name is used twice'],
    [`ops:${secret},bot:${secret}:read`, 'entry 2: the secret is used twice'],
  ])('of the API are refused when they are %s', (keys, complaint) => {
    expect(complaintsOf({ BGC_API_KEYS: keys })).toEqual([`BGC_API_KEYS: ${complaint}`])
  })

  it('that encrypt are 32 bytes, the first one in use first', () => {
    const { encryptionKeys } = read({ BGC_ENCRYPTION_KEYS: `new:${key(2)},old:${key(1)}` })
    expect(encryptionKeys).toEqual([
      { id: 'new', key: Buffer.alloc(32, 2) },
      { id: 'old', key: Buffer.alloc(32, 1) },
    ])
  })

  it.each([
    [`k1:${Buffer.alloc(31).toString('base64')}`, 'entry 1: expected id:base64 of 32 bytes'],
    [key(1), 'entry 1: expected id:base64 of 32 bytes'],
    [`k1:${key(1)},k1:${key(2)}`, 'entry 2: the id is used twice'],
  ])('that encrypt are refused when they are %s', (keys, complaint) => {
    expect(complaintsOf({ BGC_ENCRYPTION_KEYS: keys })).toEqual([`BGC_ENCRYPTION_KEYS: ${complaint}`])
  })

  it.each([undefined, '', ' , '])('that encrypt are required in production, not %j', (keys) => {
    const given = { NODE_ENV: 'production', BGC_ENCRYPTION_KEYS: keys }
    expect(complaintsOf(given)).toEqual(['BGC_ENCRYPTION_KEYS: required when NODE_ENV=production'])
    expect(complaintsOf({ ...given, BGC_ENCRYPTION_KEYS: `k1:${key(1)}` })).toEqual([])
    expect(complaintsOf({ ...given, NODE_ENV: 'development' })).toEqual([])
  })
})

describe('rate windows', () => {
  it('hold together, in whole seconds', () => {
    expect(read({ FEISHU_RATE_LIMITS: ' 5/1s , 20/10s' }).feishu.rateLimits).toEqual([
      { limit: 5, windowMs: 1000 },
      { limit: 20, windowMs: 10_000 },
    ])
  })

  it.each(['50', '0/1s', '50/0s', '50/61s', '50/1m', '5.5/1s', '50/1s;1000/60s', ','])('are refused as %j', (given) => {
    expect(complaintsOf({ FEISHU_RATE_LIMITS: given }).join()).toMatch(/^FEISHU_RATE_LIMITS: expected windows like/)
  })
})

describe('values that belong together', () => {
  it.each([
    ['VENDOR_POLL_MIN_MS', 'VENDOR_POLL_MAX_MS'],
    ['FEISHU_RETRY_BASE_MS', 'FEISHU_RETRY_MAX_MS'],
  ])('%s is no more than %s', (least, most) => {
    expect(complaintsOf({ [least]: '2001', [most]: '2000' })).toEqual([`${least}: expected no more than ${most}`])
    expect(complaintsOf({ [least]: '2000', [most]: '2000' })).toEqual([])
  })

  it('are two listeners on two ports', () => {
    expect(complaintsOf({ PORT: '3000', BGC_INTERNAL_PORT: '3000' })).toEqual([
      'BGC_INTERNAL_PORT: expected another port than PORT',
    ])
    expect(complaintsOf({ PORT: '0', BGC_INTERNAL_PORT: '0' })).toEqual([])
  })

  it.each(['', 'receiver,', 'receiver;sync', 'RECEIVER'])(
    'roles are names from the list, separated by commas: %j',
    (roles) => {
      const refused = complaintsOf({ BGC_ROLES: roles }).length === 1
      expect(refused).toBe(roles.includes(';') || roles === 'RECEIVER')
    },
  )
})

describe('proxies', () => {
  it('are read from either spelling, and an empty one counts as not set', () => {
    const env = { HTTPS_PROXY: '', https_proxy: 'http://proxy:3128', HTTP_PROXY: 'proxy:3128', NO_PROXY: 'localhost' }
    expect(read(env).proxy).toEqual({ httpsProxy: 'http://proxy:3128', httpProxy: 'proxy:3128', noProxy: 'localhost' })
  })
})

describe('the configuration of a migration', () => {
  it('needs nothing of Feishu or of the vendor', () => {
    const files = { '/db': 'postgresql://db/bgc\n' }
    expect(readDatabaseConfig({ DATABASE_URL_FILE: '/db' }, filesOf(files)).databaseUrl).toBe('postgresql://db/bgc')
    expect(() => readDatabaseConfig({ DATABASE_URL: 'db' }, filesOf({}))).toThrow('DATABASE_URL: expected a URL')
  })
})

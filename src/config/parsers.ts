import { isIP } from 'node:net'
import { z } from 'zod'

/** Parsers from the text of one variable to its value; every refusal says what was expected. */

export const text = z.string().min(1, 'expected some text, got nothing')

export const port = wholeNumber(0, 65_535, 'a port from 0 to 65535')

export const milliseconds = (least: number, most: number) =>
  wholeNumber(least, most, `whole milliseconds from ${least} to ${most}`)

export const count = (least: number, most: number) =>
  wholeNumber(least, most, `a whole number from ${least} to ${most}`)

function wholeNumber(least: number, most: number, expected: string) {
  return z.string().transform((value, ctx) => {
    const number = /^\d{1,15}$/.test(value) ? Number(value) : Number.NaN
    if (number >= least && number <= most) return number
    return refuse(ctx, `expected ${expected}`)
  })
}

export const flag = z.string().transform((value, ctx) => {
  if (value === 'true') return true
  if (value === 'false') return false
  return refuse(ctx, 'expected true or false')
})

export const oneOf = <const T extends string>(values: readonly T[]) =>
  z.string().transform((value, ctx) => {
    const found = values.find((candidate) => candidate === value)
    return found ?? refuse(ctx, `expected one of ${values.join(', ')}`)
  })

export const listOf = <const T extends string>(values: readonly T[]) =>
  z.string().transform((value, ctx) => {
    const names = splitList(value)
    const wrong = names.filter((name) => !values.some((known) => known === name))
    if (names.length === 0 || wrong.length > 0)
      return refuse(ctx, `expected a comma-separated list of ${values.join(', ')}`)
    return values.filter((known) => names.includes(known))
  })

export const url = (...protocols: string[]) =>
  z.string().transform((value, ctx) => {
    const parsed = URL.canParse(value) ? new URL(value) : undefined
    const fits = parsed !== undefined && protocols.includes(parsed.protocol) && parsed.hostname !== ''
    return fits ? value : refuse(ctx, `expected a URL that begins with ${protocols.map((p) => `${p}//`).join(' or ')}`)
  })

export const baseUrl = url('http:', 'https:').transform((value, ctx) => {
  const { search, hash, username, password } = new URL(value)
  if (search !== '' || hash !== '') return refuse(ctx, 'expected a base URL without a query or a fragment')
  if (username !== '' || password !== '') return refuse(ctx, 'expected a base URL without a user or a password')
  return value.replace(/\/+$/, '')
})

/** As curl has them: `host:port` stands for `http://host:port`. */
export const proxyAddress = z
  .string()
  .transform((value) => (value.includes('://') ? value : `http://${value}`))
  .pipe(url('http:', 'https:'))

/** At most `limit` calls in any `windowMs` that slide. */
export interface RateWindow {
  limit: number
  windowMs: number
}

export const rateWindows = z.string().transform((value, ctx): RateWindow[] => {
  const windows = splitList(value).map(readRateWindow)
  const fitting = windows.filter((window) => window !== undefined)
  if (windows.length > 0 && fitting.length === windows.length) return fitting
  return refuse(ctx, 'expected windows like 50/1s,1000/60s: calls, a slash, whole seconds up to 60')
})

function readRateWindow(entry: string): RateWindow | undefined {
  const match = /^([1-9]\d{0,6})\/([1-9]\d{0,4})s$/.exec(entry)
  const seconds = Number(match?.[2])
  return match && seconds <= longestWindowSeconds ? { limit: Number(match[1]), windowMs: seconds * 1000 } : undefined
}

/** Feishu has none longer, and what the rows remember of recent calls reaches so far. */
const longestWindowSeconds = 60

export const scopes = ['read', 'operate', 'reveal', 'erase', 'notify'] as const
export type Scope = (typeof scopes)[number]

export interface ApiKey {
  name: string
  secret: string
  scopes: readonly Scope[]
}

const shortestSecret = 24

export const apiKeys = z.string().transform((value, ctx): ApiKey[] => {
  const keys: ApiKey[] = []
  for (const [index, entry] of splitList(value).entries()) {
    const key = readApiKey(entry)
    if (typeof key === 'string') return refuse(ctx, `entry ${index + 1}: ${key}`)
    if (keys.some((other) => other.name === key.name)) return refuse(ctx, `entry ${index + 1}: the name is used twice`)
    if (keys.some((other) => other.secret === key.secret)) {
      return refuse(ctx, `entry ${index + 1}: the secret is used twice`)
    }
    keys.push(key)
  }
  return keys
})

function readApiKey(entry: string): ApiKey | string {
  const [name, secret, given, ...rest] = entry.split(':')
  if (!name || !secret || rest.length > 0) return 'expected name:secret or name:secret:scope+scope'
  if (secret.length < shortestSecret) return `expected a secret of ${shortestSecret} characters or more`
  if (given === undefined) return { name, secret, scopes }
  const wanted = given.split('+')
  const known = scopes.filter((scope) => wanted.includes(scope))
  return known.length === wanted.length
    ? { name, secret, scopes: known }
    : `expected scopes out of ${scopes.join(', ')}`
}

/** A name of the IANA time zone database, as this Node.js knows them. */
export const timeZone = z.string().transform((value, ctx) => {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: value }).resolvedOptions().timeZone
  } catch {
    return refuse(ctx, 'expected a time zone like Asia/Shanghai')
  }
})

export interface EncryptionKey {
  id: string
  key: Buffer
}

export const encryptionKeys = z.string().transform((value, ctx): EncryptionKey[] => {
  const keys: EncryptionKey[] = []
  for (const [index, entry] of splitList(value).entries()) {
    const match = /^([A-Za-z0-9_-]{1,32}):([A-Za-z0-9+/]{43}=)$/.exec(entry)
    if (!match?.[1] || !match[2]) return refuse(ctx, `entry ${index + 1}: expected id:base64 of 32 bytes`)
    if (keys.some((other) => other.id === match[1])) return refuse(ctx, `entry ${index + 1}: the id is used twice`)
    keys.push({ id: match[1], key: Buffer.from(match[2], 'base64') })
  }
  return keys
})

/** All addresses whose first `prefix` bits are those of `address`. */
export interface Network {
  address: string
  prefix: number
}

export const networks = z.string().transform((value, ctx): Network[] => {
  const entries = splitList(value)
  const wrong = entries.filter((entry) => readNetwork(entry) === undefined)
  if (wrong.length === 0) return entries.map(readNetwork).filter((network) => network !== undefined)
  const named = wrong.map((entry) => JSON.stringify(entry)).join(' and ')
  return refuse(ctx, `expected addresses or ranges like 10.0.0.0/8, and not ${named}`)
})

function readNetwork(entry: string): Network | undefined {
  const [address = '', prefix, ...rest] = entry.split('/')
  const family = address.includes('%') ? 0 : isIP(address)
  if (family === 0 || rest.length > 0) return undefined
  const longest = family === 6 ? 128 : 32
  // An IPv4 address that is written as an IPv6 one: no range of it is wider than all of IPv4.
  const mapped = family === 6 && /^\[::ffff(:[0-9a-f]{1,4}){2}\]$/.test(new URL(`http://[${address}]`).hostname)
  const shortest = mapped ? 96 : 0
  if (prefix === undefined) return { address, prefix: longest }
  const bits = /^\d{1,3}$/.test(prefix) ? Number(prefix) : Number.NaN
  return bits >= shortest && bits <= longest ? { address, prefix: bits } : undefined
}

export function splitList(value: string): string[] {
  return value
    .split(',')
    .map((entry) => entry.trim())
    .filter((entry) => entry !== '')
}

export function refuse(ctx: z.RefinementCtx, message: string): never {
  ctx.addIssue({ code: 'custom', message })
  return z.NEVER
}

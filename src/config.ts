import { readFileSync } from 'node:fs'
import { codeOf, type FeishuApp, readApps } from './config/apps.js'
import { type ApiKey, type EncryptionKey, type Network, proxyAddress, type RateWindow } from './config/parsers.js'
import { type Role, type Values, type Variable, type VariableName, variables } from './config/variables.js'

export type { FeishuApp } from './config/apps.js'
export type { ApiKey, EncryptionKey, RateWindow, Scope } from './config/parsers.js'
export { type Role, roles } from './config/variables.js'

/** Everything the service reads from its environment. Times are milliseconds. */
export interface Config {
  host: string
  port: number
  internalPort?: number
  trustedProxies: readonly Network[]
  logLevel: string
  roles: readonly Role[]
  dataDir: string
  apiKeys: readonly ApiKey[]
  encryptionKeys: readonly EncryptionKey[]
  /** Where Feishu gets reports from; `publicUrl` is there when they are proxied. */
  reportLinks: { mode: 'passthrough' | 'proxy'; ttlMs: number; publicUrl?: string }
  retentionDays: number
  orderStaleDays: number
  /** A bot in a Feishu group. */
  alerts?: { url: string; secret?: string }
  timeZone: string
  stopTimeoutMs: number
  autoMigrate: boolean
  databaseUrl?: string
  redisUrl?: string
  feishu: {
    apps: readonly FeishuApp[]
    maxEventAgeMs: number
    rateLimits: readonly RateWindow[]
    rateLimitsSlow: readonly RateWindow[]
    timeoutMs: number
    retry: { baseMs: number; maxMs: number; maxAgeMs: number }
  }
  vendor: {
    adapter: string
    baseUrl?: string
    apiKey?: string
    timeoutMs: number
    pollMinMs: number
    pollMaxMs: number
    concurrency: number
    /** None: calls are limited by `concurrency` alone. */
    rateLimits: readonly RateWindow[]
    /** VENDOR_* names that belong to an own adapter. */
    environment: Readonly<Record<string, string>>
  }
  proxy: ProxySettings
}

export interface ProxySettings {
  httpsProxy?: string
  httpProxy?: string
  noProxy?: string
}

export class ConfigError extends Error {
  readonly complaints: readonly string[]

  constructor(complaints: readonly string[]) {
    super(`The configuration cannot be used:\n${complaints.map((complaint) => `  - ${complaint}`).join('\n')}`)
    this.name = 'ConfigError'
    this.complaints = complaints
  }
}

type Environment = Readonly<Record<string, string | undefined>>

/** Reads and checks every variable; throws one ConfigError that lists all complaints. */
export function readConfig(
  env: Environment = process.env,
  readFile = (path: string) => readFileSync(path, 'utf8'),
): Config {
  const complaints: string[] = []
  const complain = (text: string) => {
    complaints.push(text)
  }
  const { values, unset } = readValues(env, readFile, complain)
  const environment = values.VENDOR_ADAPTER === 'http' ? {} : readVendorEnvironment(env, values)
  if (values.VENDOR_ADAPTER === 'http') requireHttpVendor(unset, complain)
  refuseUnknownNames(env, values.VENDOR_ADAPTER !== 'http', complain)
  const apps = readApps({ values, unset, readFile, complain })
  if (env.NODE_ENV === 'production' && values.BGC_ENCRYPTION_KEYS?.length === 0) {
    complain(`BGC_ENCRYPTION_KEYS: required ${variables.BGC_ENCRYPTION_KEYS.required}`)
  }
  if (values.BGC_REPORT_LINKS === 'proxy' && unset.has('BGC_PUBLIC_URL')) {
    complain('BGC_PUBLIC_URL: required when BGC_REPORT_LINKS=proxy')
  }
  if (unset.has('BGC_ALERT_WEBHOOK_URL') && !unset.has('BGC_ALERT_WEBHOOK_SECRET')) {
    complain('BGC_ALERT_WEBHOOK_SECRET: expected BGC_ALERT_WEBHOOK_URL beside it')
  }
  for (const [least, most] of pairs) {
    if (values[least] > values[most]) complain(`${least}: expected no more than ${most}`)
  }
  if (values.BGC_INTERNAL_PORT && values.PORT === values.BGC_INTERNAL_PORT) {
    complain('BGC_INTERNAL_PORT: expected another port than PORT')
  }
  const proxy = readProxy(env, complain)
  if (complaints.length > 0) throw new ConfigError(complaints)
  return toConfig(values, apps, environment, proxy)
}

/**
 * Whether the standard variables of OpenTelemetry ask for traces; its SDK reads what they say.
 * https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
 */
export function wantsTraces(env: Environment = process.env): boolean {
  if (env.OTEL_SDK_DISABLED?.trim().toLowerCase() === 'true') return false
  const exporter = env.OTEL_TRACES_EXPORTER?.trim()
  if (exporter) return exporter !== 'none'
  return Boolean(env.OTEL_EXPORTER_OTLP_ENDPOINT || env.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT)
}

/** What a migration needs: it often runs as a job of its own, without any secret of Feishu's or the vendor's. */
export function readDatabaseConfig(
  { DATABASE_URL, DATABASE_URL_FILE, BGC_DATA_DIR }: Environment = process.env,
  readFile = (path: string) => readFileSync(path, 'utf8'),
): Pick<Config, 'databaseUrl' | 'dataDir'> {
  const complaints: string[] = []
  const env = { DATABASE_URL, DATABASE_URL_FILE, BGC_DATA_DIR }
  const { values } = readValues(env, readFile, (text) => complaints.push(text))
  if (complaints.length > 0) throw new ConfigError(complaints)
  return {
    dataDir: values.BGC_DATA_DIR,
    ...(values.DATABASE_URL !== undefined && { databaseUrl: values.DATABASE_URL }),
  }
}

/** What calling the vendor needs: the engineers of its system have no secret of Feishu's. */
export function readVendorConfig(
  env: Environment = process.env,
  readFile = (path: string) => readFileSync(path, 'utf8'),
): Pick<Config, 'vendor' | 'proxy'> {
  const complaints: string[] = []
  const complain = (text: string) => {
    complaints.push(text)
  }
  const ours = Object.fromEntries(Object.entries(env).filter(([name]) => name.startsWith('VENDOR_')))
  const { values, unset } = readValues(ours, readFile, complain)
  const isHttp = values.VENDOR_ADAPTER === 'http'
  if (isHttp) requireHttpVendor(unset, complain)
  refuseUnknownNames(ours, !isHttp, complain)
  const proxy = readProxy(env, complain)
  if (complaints.length > 0) throw new ConfigError(complaints)
  return { vendor: toVendor(values, isHttp ? {} : readVendorEnvironment(ours, values)), proxy }
}

const hour = 3_600_000

/** The first of each pair may not be greater than the second. A value that was refused before is not compared. */
const pairs = [
  ['VENDOR_POLL_MIN_MS', 'VENDOR_POLL_MAX_MS'],
  ['FEISHU_RETRY_BASE_MS', 'FEISHU_RETRY_MAX_MS'],
] as const

function readValues(env: Environment, readFile: (path: string) => string, complain: (text: string) => void) {
  const values: Partial<Record<string, unknown>> = {}
  const unset = new Set<string>()
  for (const [name, variable] of Object.entries<Variable<unknown>>(variables)) {
    const given = readText(name, variable, env, readFile, complain)
    if (given === undefined) unset.add(name)
    if (given === unreadable) continue
    const raw = given ?? variable.fallback
    if (raw === undefined) continue
    if (variable.secret && raw === variable.example && raw.includes('replace-')) {
      complain(`${name}: expected a value of your own, got the placeholder of .env.example`)
      continue
    }
    const parsed = variable.parse.safeParse(raw)
    if (parsed.success) values[name] = parsed.data
    else complain(`${name}: ${parsed.error.issues[0]?.message}${variable.secret ? '' : `, got ${show(raw)}`}`)
  }
  // Each value came out of the parser that its type names; a refused one stops the start before it is used.
  return { values: values as Values, unset }
}

/** Given, and complained about already: no second complaint says that it is missing. */
const unreadable = Symbol('unreadable')

function readText(
  name: string,
  variable: Variable<unknown>,
  env: Environment,
  readFile: (path: string) => string,
  complain: (text: string) => void,
): string | typeof unreadable | undefined {
  const plain = env[name] || undefined
  const path = variable.secret ? env[`${name}_FILE`] : undefined
  if (!path) return plain
  if (plain !== undefined) complain(`${name}: set together with ${name}_FILE; expected one of them`)
  try {
    const content = readFile(path).replace(/\r?\n$/, '')
    if (content !== '') return content
    complain(`${name}_FILE: the file is empty`)
  } catch (cause) {
    complain(`${name}_FILE: cannot be read (${codeOf(cause)})`)
  }
  return unreadable
}

/** What was given, without the user and password that an address may hold. */
function show(raw: string): string {
  return JSON.stringify(raw.replace(/\/\/[^/?#]*@/, '//***@'))
}

function requireHttpVendor(unset: ReadonlySet<string>, complain: (text: string) => void): void {
  for (const name of ['VENDOR_BASE_URL', 'VENDOR_API_KEY'] as const) {
    if (unset.has(name)) complain(`${name}: required ${variables[name].required}`)
  }
}

function refuseUnknownNames(env: Environment, ownAdapter: boolean, complain: (text: string) => void): void {
  for (const name of Object.keys(env)) {
    const vendors = ownAdapter && name.startsWith('VENDOR_')
    if (/^(BGC|FEISHU|VENDOR)_/.test(name) && !vendors && !isKnown(name) && !isMadeByKubernetes(name)) {
      complain(`${name}: not a known name; docs/environment.md lists them`)
    }
  }
}

function isKnown(name: string): boolean {
  if (name in variables) return true
  const plain = name.endsWith('_FILE') ? name.slice(0, -'_FILE'.length) : ''
  const variable: Variable<unknown> | undefined = plain in variables ? variables[plain as VariableName] : undefined
  return variable?.secret === true
}

/** A Kubernetes service named bgc-bridge puts such names into every pod of its namespace. */
function isMadeByKubernetes(name: string): boolean {
  return /^BGC_BRIDGE_(.*_)?(SERVICE_HOST|SERVICE_PORT.*|PORT|PORT.*_TCP.*)$/.test(name)
}

/** What an own adapter gets: its own names, and where the vendor is if that is set. */
function readVendorEnvironment(env: Environment, values: Values): Record<string, string> {
  const own = Object.entries(env).filter(([name, value]) => name.startsWith('VENDOR_') && !isKnown(name) && value)
  const { VENDOR_BASE_URL, VENDOR_API_KEY } = values
  return {
    ...Object.fromEntries(own.map(([name, value]) => [name, value ?? ''])),
    ...(VENDOR_BASE_URL !== undefined && { VENDOR_BASE_URL }),
    ...(VENDOR_API_KEY !== undefined && { VENDOR_API_KEY }),
  }
}

function readProxy(env: Environment, complain: (text: string) => void): ProxySettings {
  const httpsProxy = env.HTTPS_PROXY || env.https_proxy
  const httpProxy = env.HTTP_PROXY || env.http_proxy
  const noProxy = env.NO_PROXY || env.no_proxy
  for (const [name, value] of Object.entries({ HTTPS_PROXY: httpsProxy, HTTP_PROXY: httpProxy })) {
    // Not shown: it may hold a password.
    if (value && !proxyAddress.safeParse(value).success)
      complain(`${name}: expected the address of an http or https proxy`)
  }
  return { ...(httpsProxy && { httpsProxy }), ...(httpProxy && { httpProxy }), ...(noProxy && { noProxy }) }
}

function toConfig(
  values: Values,
  apps: readonly FeishuApp[],
  environment: Record<string, string>,
  proxy: ProxySettings,
): Config {
  return {
    host: values.HOST,
    port: values.PORT,
    ...(values.BGC_INTERNAL_PORT !== undefined && { internalPort: values.BGC_INTERNAL_PORT }),
    trustedProxies: values.BGC_TRUSTED_PROXIES,
    logLevel: values.LOG_LEVEL,
    roles: values.BGC_ROLES,
    dataDir: values.BGC_DATA_DIR,
    apiKeys: values.BGC_API_KEYS,
    encryptionKeys: values.BGC_ENCRYPTION_KEYS,
    reportLinks: {
      mode: values.BGC_REPORT_LINKS,
      ttlMs: values.BGC_REPORT_LINK_TTL_HOURS * hour,
      ...(values.BGC_PUBLIC_URL !== undefined && { publicUrl: values.BGC_PUBLIC_URL }),
    },
    retentionDays: values.BGC_RETENTION_DAYS,
    orderStaleDays: values.BGC_ORDER_STALE_DAYS,
    ...toAlerts(values),
    timeZone: values.BGC_TIME_ZONE,
    stopTimeoutMs: values.BGC_STOP_TIMEOUT_MS,
    autoMigrate: values.BGC_AUTO_MIGRATE,
    ...(values.DATABASE_URL !== undefined && { databaseUrl: values.DATABASE_URL }),
    ...(values.REDIS_URL !== undefined && { redisUrl: values.REDIS_URL }),
    feishu: {
      apps,
      maxEventAgeMs: values.FEISHU_MAX_EVENT_AGE_MS,
      rateLimits: values.FEISHU_RATE_LIMITS,
      rateLimitsSlow: values.FEISHU_RATE_LIMITS_SLOW,
      timeoutMs: values.FEISHU_TIMEOUT_MS,
      retry: {
        baseMs: values.FEISHU_RETRY_BASE_MS,
        maxMs: values.FEISHU_RETRY_MAX_MS,
        maxAgeMs: values.FEISHU_RETRY_MAX_AGE_MS,
      },
    },
    vendor: toVendor(values, environment),
    proxy,
  }
}

function toVendor(values: Values, environment: Record<string, string>): Config['vendor'] {
  return {
    adapter: values.VENDOR_ADAPTER,
    ...(values.VENDOR_BASE_URL !== undefined && { baseUrl: values.VENDOR_BASE_URL }),
    ...(values.VENDOR_API_KEY !== undefined && { apiKey: values.VENDOR_API_KEY }),
    timeoutMs: values.VENDOR_TIMEOUT_MS,
    pollMinMs: values.VENDOR_POLL_MIN_MS,
    pollMaxMs: values.VENDOR_POLL_MAX_MS,
    concurrency: values.VENDOR_CONCURRENCY,
    rateLimits: values.VENDOR_RATE_LIMITS ?? [],
    environment,
  }
}

function toAlerts({ BGC_ALERT_WEBHOOK_URL: url, BGC_ALERT_WEBHOOK_SECRET: secret }: Values): Pick<Config, 'alerts'> {
  return url === undefined ? {} : { alerts: { url, ...(secret !== undefined && { secret }) } }
}

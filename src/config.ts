import { readFileSync } from 'node:fs'
import { readApps } from './config/apps.js'
import { Complaints } from './config/complaints.js'
import { refuseUnknownNames } from './config/names.js'
import { readProxy } from './config/proxy.js'
import { type Environment, type ReadFile, readValues } from './config/read-values.js'
import { readRedis } from './config/redis.js'
import type { Config } from './config/shape.js'
import { toConfig } from './config/to-config.js'
import { checkTogether } from './config/together.js'
import { readVendorEnvironment, requireHttpVendor, toVendor } from './config/vendor.js'

export type { FeishuApp } from './config/apps.js'
export { ConfigError } from './config/complaints.js'
export type { ApiKey, Scope } from './config/parsers.js'
export type { Config } from './config/shape.js'
export { type Role, roles } from './config/variables.js'

const readText: ReadFile = (path) => readFileSync(path, 'utf8')

/** Reads and checks every variable; throws one ConfigError that lists all complaints. */
export function readConfig(env: Environment = process.env, readFile = readText): Config {
  const complaints = new Complaints()
  const complain = complaints.add
  const { values, unset } = readValues(env, readFile, complain)
  const isHttp = values.VENDOR_ADAPTER === 'http'
  const environment = isHttp ? {} : readVendorEnvironment(env, values)
  if (isHttp) requireHttpVendor(unset, complain)
  refuseUnknownNames(env, !isHttp, complain)
  const apps = readApps({ values, unset, readFile, complain })
  const redis = readRedis(values, unset, complain)
  checkTogether(env, values, unset, complain)
  const proxy = readProxy(env, complain)
  complaints.refuse()
  return toConfig({ values, apps, redis, environment, proxy })
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
  readFile = readText,
): Pick<Config, 'databaseUrl' | 'dataDir'> {
  const complaints = new Complaints()
  const { values } = readValues({ DATABASE_URL, DATABASE_URL_FILE, BGC_DATA_DIR }, readFile, complaints.add)
  complaints.refuse()
  return {
    dataDir: values.BGC_DATA_DIR,
    ...(values.DATABASE_URL !== undefined && { databaseUrl: values.DATABASE_URL }),
  }
}

/** What calling the vendor needs: the engineers of its system have no secret of Feishu's. */
export function readVendorConfig(
  env: Environment = process.env,
  readFile = readText,
): Pick<Config, 'vendor' | 'proxy'> {
  const complaints = new Complaints()
  const ours = Object.fromEntries(Object.entries(env).filter(([name]) => name.startsWith('VENDOR_')))
  const { values, unset } = readValues(ours, readFile, complaints.add)
  const isHttp = values.VENDOR_ADAPTER === 'http'
  if (isHttp) requireHttpVendor(unset, complaints.add)
  refuseUnknownNames(ours, !isHttp, complaints.add)
  const proxy = readProxy(env, complaints.add)
  complaints.refuse()
  return { vendor: toVendor(values, isHttp ? {} : readVendorEnvironment(ours, values)), proxy }
}

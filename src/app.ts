import type { RequestListener } from 'node:http'
import { hostname } from 'node:os'
import { resolve } from 'node:path'
import type { Redis } from 'ioredis'
import { type Config, type Role, roles } from './config.js'
import { createReceiver } from './flow/from-feishu/receiver.js'
import { createRefusalWarning } from './flow/from-feishu/refusal-warning.js'
import { type HousekeepingTerms, startHousekeeping } from './flow/housekeeping/start.js'
import { createInbox } from './flow/inbox/accept.js'
import { startInboxWorker } from './flow/inbox/worker.js'
import { createKeepers } from './flow/keepers.js'
import { startVendorSide } from './flow/orders/start.js'
import type { Keepers } from './flow/outbox/keepers.js'
import { startReconciliation } from './flow/reconcile/start.js'
import type { SweepTerms } from './flow/reconcile/terms.js'
import { startReports } from './flow/reports/start.js'
import { admitKeys } from './flow/rotation/admit.js'
import { endForeignClaims } from './flow/take-over.js'
import { createFeishuAccess, type FeishuAccess } from './flow/to-feishu/access.js'
import type { FeishuReads } from './flow/to-feishu/reads.js'
import { startFeishuSide } from './flow/to-feishu/start.js'
import { openVendor, type VendorAccess } from './flow/vendor/access.js'
import type { VendorAdapter } from './flow/vendor/adapter.js'
import { type AlertTerms, startAlerts } from './operate/alerts/start.js'
import { createApi } from './operate/api/app.js'
import { registerGauges } from './operate/gauges.js'
import { createHealth, type Readiness } from './operate/health.js'
import { createMetrics, type Metrics } from './operate/metrics.js'
import { createReportsDoor } from './operate/reports.js'
import { createDoor, type Listening, listen } from './operate/server.js'
import { marksOf } from './platform/crypto/key-marks.js'
import { createSealer, SealError, type Sealer } from './platform/crypto/sealer.js'
import { type Database, openDatabase } from './platform/database/database.js'
import { migrate, pendingMigrations, refuseNewer } from './platform/database/migrate.js'
import { startEmbeddedPostgres } from './platform/embedded/postgres.js'
import { Lifetime, type Started } from './platform/lifetime.js'
import type { Limiter } from './platform/limiter/limiter.js'
import { memoryLimiter } from './platform/limiter/memory.js'
import { redisLimiter } from './platform/limiter/redis.js'
import type { Logger } from './platform/logger.js'
import { createBullHints } from './platform/queue/bull.js'
import { createLocalHints, type Hints } from './platform/queue/hints.js'
import { connectRedis } from './platform/queue/redis.js'
import { holdSingleton } from './platform/singleton.js'

/** The parts that every role shares. */
export interface Parts {
  config: Config
  log: Logger
  database: Database
  sealer: Sealer
  hints: Hints
  limiter: Limiter
  metrics: Metrics
  /** The rooms that own the lanes of what belongs to no order. */
  keepers: Keepers
  /** Questions to Feishu, in any role. */
  reads: FeishuReads
  redis?: Redis
  random: () => number
  /** After a call to Feishu whose outcome is not known, orders are read after so many ms each (contract §3.11). */
  lookAfterMs: readonly number[]
}

/** Single parts that a test or a tool puts in place of the real ones. */
export interface Overrides {
  vendor?: VendorAdapter
  hints?: Hints
  limiter?: Limiter
  random?: () => number
  lookAfterMs?: readonly number[]
  sweeps?: Partial<SweepTerms>
  housekeeping?: Partial<HousekeepingTerms>
  alerts?: Partial<AlertTerms>
}

export interface App extends Started {
  port: number
  internalPort?: number
  ready(): Promise<Readiness>
  /** Settles when the process must end by itself, with the reason. */
  failed: Promise<string>
}

/** The composition root: builds what the roles of this process ask for, and nothing else. */
export async function startApp(config: Config, log: Logger, overrides: Overrides = {}): Promise<App> {
  const lifetime = new Lifetime()
  let stopping = false
  let fail: (reason: string) => void = () => undefined
  const failed = new Promise<string>((resolve_) => {
    fail = resolve_
  })
  try {
    const database = await startDatabase(config, log, lifetime)
    if (config.redisUrl === undefined) {
      await lifetime.start(beTheOnlyOne(database, fail))
      await endForeignClaims(database)
    }
    await checkKeys(database, config)
    const { parts, access } = startParts(config, log, database, lifetime, overrides)
    const vendor = lifetime.add(createLazyVendor(parts, overrides.vendor))
    const { ports, ready } = await startDoors(parts, vendor.open, lifetime, () => stopping)
    if (has(config, 'poller')) {
      startVendorRole(parts, await vendor.open(), lifetime)
      lifetime.add(startHousekeeping(parts, overrides.housekeeping))
    }
    if (has(config, 'sync')) {
      await lifetime.start(startFeishuSide(parts, access()))
      lifetime.add(startReconciliation(parts, overrides.sweeps))
      const alerts = startAlerts(parts, overrides.alerts)
      if (alerts) lifetime.add(alerts)
    }
    warnOfLoneRole(config, log)
    log.info({ event: 'app.started', roles: config.roles, ...ports }, 'bgc-bridge is up')
    return {
      ...ports,
      ready,
      failed,
      stop: () => {
        stopping = true
        return lifetime.stop()
      },
    }
  } catch (failure) {
    await lifetime.stop()
    throw failure
  }
}

/** Without Redis there is one process: what it does not do, nobody does. */
function warnOfLoneRole(config: Config, log: Logger): void {
  const missing = roles.filter((role) => !config.roles.includes(role))
  if (config.redisUrl !== undefined || missing.length === 0) return
  log.warn({ event: 'app.lone_role', missing }, 'without REDIS_URL no other process can do what BGC_ROLES leaves out')
}

async function startDatabase(config: Config, log: Logger, lifetime: Lifetime): Promise<Database> {
  const url = config.databaseUrl ?? (await lifetime.start(startEmbedded(config, log))).url
  if (config.autoMigrate) {
    const applied = await migrate(url)
    if (applied.length > 0) log.info({ event: 'database.migrated', applied }, 'migrations were applied')
  }
  const { encryptionKeys: keys } = config
  const database = lifetime.add(openDatabase({ url, log, keyMarks: marksOf(createSealer(keys), keys) }))
  if (!config.autoMigrate) await refuseOtherSchema(database)
  return database
}

/** What nobody brings to the schema of this release has to be at it: a start would fail in the middle, or overlook what is new. */
async function refuseOtherSchema({ pool }: Database): Promise<void> {
  await refuseNewer(pool)
  const pending = await pendingMigrations(pool)
  if (pending.length === 0) return
  const lacking = `the database lacks ${pending.join(', ')}, and BGC_AUTO_MIGRATE is false`
  throw new Error(`${lacking}: run \`bgc migrate\` with this release first`)
}

/** Without a key that rows lie under the service would fail at each of them. */
async function checkKeys(database: Database, { encryptionKeys }: Config): Promise<void> {
  try {
    await admitKeys(database, createSealer(encryptionKeys))
  } catch (failure) {
    if (!(failure instanceof SealError)) throw failure
    throw new Error('the encryption keys do not fit this database, as docs/keys.md explains', { cause: failure })
  }
}

function startEmbedded(config: Config, log: Logger) {
  return startEmbeddedPostgres({
    dataDir: resolve(config.dataDir),
    log: (event, fields) => log.info({ event: `embedded.${event}`, postgres: fields }, 'embedded PostgreSQL'),
  })
}

function beTheOnlyOne(database: Database, fail: (reason: string) => void): Promise<Started> {
  return holdSingleton(database.pool, {
    name: 'queue',
    host: hostname(),
    pid: process.pid,
    onLost: () => fail('another process took over while this one was suspended'),
  })
}

function startParts(config: Config, log: Logger, database: Database, lifetime: Lifetime, overrides: Overrides) {
  const redis = config.redisUrl === undefined ? undefined : connectRedis(config.redisUrl, log, 'commands')
  if (redis) lifetime.add({ stop: async () => redis.disconnect() })
  const hints =
    overrides.hints ??
    (config.redisUrl === undefined ? createLocalHints() : createBullHints({ redisUrl: config.redisUrl, log }))
  const sealer = createSealer(config.encryptionKeys)
  const base = {
    config,
    log,
    database,
    sealer,
    hints: lifetime.add(hints),
    limiter: overrides.limiter ?? (redis === undefined ? memoryLimiter() : redisLimiter({ redis })),
    metrics: createMetrics(),
    keepers: createKeepers(sealer),
    ...(redis && { redis }),
    random: overrides.random ?? Math.random,
    lookAfterMs: overrides.lookAfterMs ?? [2000, 10_000, 60_000],
  }
  const access = lifetime.add(createLazyAccess(base))
  const parts: Parts = { ...base, reads: access.reads }
  return { parts, access: access.open }
}

/** A process without the role `sync` asks Feishu now and then only: the SDK is loaded when it first does. */
function createLazyAccess(parts: Parameters<typeof createFeishuAccess>[0]) {
  let made: FeishuAccess | undefined
  const open = (): FeishuAccess => {
    made ??= createFeishuAccess(parts)
    return made
  }
  const reads: FeishuReads = {
    ask: (...question) => open().reads.ask(...question),
    askWith: (...question) => open().reads.askWith(...question),
  }
  return { open, reads, stop: async () => made?.stop() }
}

/** One adapter for whoever calls the vendor here; it ends after them. A receiver needs it only when a report is asked for. */
function createLazyVendor(parts: Parts, override?: VendorAdapter) {
  let opening: Promise<VendorAccess> | undefined
  const open = (): Promise<VendorAccess> => {
    opening ??= openVendor(parts, override).catch((failure: unknown) => {
      opening = undefined
      throw failure
    })
    return opening
  }
  // Whoever opened it has heard why it could not be.
  return { open, stop: async () => (await opening?.catch(() => undefined))?.stop() }
}

/** Every process answers health checks and metrics; the webhook, reports and /v1 belong to receivers. */
async function startDoors(
  parts: Parts,
  openVendor: () => Promise<VendorAccess>,
  lifetime: Lifetime,
  isStopping: () => boolean,
) {
  const { config, database, log, redis } = parts
  const receives = has(config, 'receiver')
  const ready = createHealth({ database, ...(redis && { redis }), needsRedis: !receives, isStopping })
  const countBacklog = registerGauges(parts)
  const reports = receives ? createReportsDoor(await startReports(parts, openVendor), parts) : undefined
  const outside = createApi({
    ...parts,
    ready,
    countBacklog,
    operators: receives && config.internalPort === undefined,
    metricsHere: config.internalPort === undefined,
    ...(reports && { reports: reports.answer }),
  })
  const webhook = receives ? startReceiving(parts, lifetime) : undefined
  const door = createDoor({ app: outside, ...(webhook && { webhook }) }, log)
  const open = (handler: RequestListener, port: number): Promise<Listening> =>
    lifetime.start(listen(handler, config.host, port, isStopping))
  const { port } = await open(door, config.port)
  // A listener waits for the answers under way, so what is being streamed ends first.
  if (reports) lifetime.add(reports)
  if (config.internalPort === undefined) return { ports: { port }, ready }
  const inside = createApi({ ...parts, ready, countBacklog, operators: receives, metricsHere: true })
  const { port: internalPort } = await open(inside, config.internalPort)
  return { ports: { port, internalPort }, ready }
}

function startReceiving({ config, database, sealer, hints, metrics, log }: Parts, lifetime: Lifetime) {
  const warnOfRefusal = createRefusalWarning(log)
  const inbox = lifetime.add(
    createInbox({
      database,
      sealer,
      onAccepted: () => hints.send('inbox'),
      onBatch: (size) => metrics.acceptedBatch.observe(size),
    }),
  )
  return createReceiver({
    apps: config.feishu.apps,
    inbox,
    maxEventAgeMs: config.feishu.maxEventAgeMs,
    onAnswer: (status, reason, elapsedMs) => {
      warnOfRefusal(status, reason)
      metrics.webhookAnswers.inc({ status: String(status), reason })
      metrics.webhookSeconds.observe(elapsedMs / 1000)
    },
  })
}

function startVendorRole(parts: Parts, vendor: VendorAccess, lifetime: Lifetime): void {
  const { database, sealer, hints, log, metrics } = parts
  const vendorSide = lifetime.add(startVendorSide(parts, vendor))
  const worker = lifetime.add(
    startInboxWorker({
      database,
      sealer,
      log,
      onEffect: () => vendorSide.wake(),
      onSettled: (type, state) => metrics.eventsSettled.inc({ type, state }),
      onFailure: (loop) => metrics.failures.inc({ loop }),
    }),
  )
  hints.listen('inbox', () => worker.wake())
}

function has(config: Config, role: Role): boolean {
  return config.roles.includes(role)
}

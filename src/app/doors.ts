import type { RequestListener } from 'node:http'
import type { Parts } from '../app.js'
import { createApi } from '../operate/api/app.js'
import { registerGauges } from '../operate/gauges.js'
import { createHealth } from '../operate/health.js'
import type { Presence } from '../operate/presence.js'
import { createDoor, listen } from '../operate/server.js'
import type { Lifetime } from '../platform/lifetime.js'
import type { Access } from './parts.js'

/** Every process answers health checks and metrics; the webhook, reports and /v1 belong to receivers. */
export async function startDoors(parts: Parts, openVendor: Access['vendor'], lifetime: Lifetime, presence: Presence) {
  const { config, database, log, redis } = parts
  const receives = config.roles.includes('receiver')
  const ready = createHealth({ database, ...(redis && { redis }), needsRedis: !receives, presence })
  const common = { ...parts, ready, countBacklog: registerGauges(parts) }
  const { webhook, reports } = receives ? await startReceiving(parts, openVendor, lifetime) : {}
  const outside = await createApi({
    ...common,
    operators: receives && config.internalPort === undefined,
    metricsHere: config.internalPort === undefined,
    ...(reports && { reports: reports.answer }),
  })
  const open = async (handler: RequestListener, port: number): Promise<number> =>
    (await lifetime.start(listen(handler, config.host, port, presence.leaving))).port
  const openInside = async (port: number) =>
    open(await createApi({ ...common, operators: receives, metricsHere: true }), port)
  const port = await open(createDoor({ app: outside, ...(webhook && { webhook }) }, log), config.port)
  // A listener waits for the answers under way, so what is being streamed ends first.
  if (reports) lifetime.add(reports)
  const internal = config.internalPort === undefined ? {} : { internalPort: await openInside(config.internalPort) }
  // Stops before the doors, and after all that was started later: those who work end while the doors are still open.
  lifetime.add(presence)
  return { ports: { port, ...internal }, ready }
}

async function startReceiving(parts: Parts, openVendor: Access['vendor'], lifetime: Lifetime) {
  const { startReceiverRole } = await import('./receiver.js')
  return startReceiverRole(parts, openVendor, lifetime)
}

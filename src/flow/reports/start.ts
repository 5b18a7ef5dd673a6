import type { Parts } from '../../app.js'
import { readProxies } from '../../platform/proxy.js'
import type { VendorAccess } from '../vendor/access.js'
import { createFileFetch } from '../vendor/file-fetch.js'
import { createReports, type Reports } from './open.js'

/** Puts the room together. In the mode `proxy` an adapter that cannot be loaded stops the start. */
export async function startReports(parts: Parts, openVendor: () => Promise<VendorAccess>): Promise<Reports> {
  const { config, database, sealer, log } = parts
  const { baseUrl, timeoutMs } = config.vendor
  if (config.reportLinks.mode === 'proxy') await openVendor()
  const fetchFile = createFileFetch({
    proxyFor: readProxies(config.proxy),
    timeoutMs,
    ...(baseUrl !== undefined && { ownOrigin: new URL(baseUrl).origin }),
  })
  return createReports({ database, sealer, log, fetchFile, vendor: async () => (await openVendor()).vendor })
}

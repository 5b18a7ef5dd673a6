import { isKnown } from './names.js'
import type { Complain, Environment } from './read-values.js'
import type { Config } from './shape.js'
import { type Values, variables } from './variables.js'

export function requireHttpVendor(unset: ReadonlySet<string>, complain: Complain): void {
  for (const name of ['VENDOR_BASE_URL', 'VENDOR_API_KEY'] as const) {
    if (unset.has(name)) complain(`${name}: required ${variables[name].required}`)
  }
}

/** What an own adapter gets: its own names, and where the vendor is if that is set. */
export function readVendorEnvironment(env: Environment, values: Values): Record<string, string> {
  const own = Object.entries(env).filter(([name, value]) => name.startsWith('VENDOR_') && !isKnown(name) && value)
  const { VENDOR_BASE_URL, VENDOR_API_KEY } = values
  return {
    ...Object.fromEntries(own.map(([name, value]) => [name, value ?? ''])),
    ...(VENDOR_BASE_URL !== undefined && { VENDOR_BASE_URL }),
    ...(VENDOR_API_KEY !== undefined && { VENDOR_API_KEY }),
  }
}

export function toVendor(values: Values, environment: Record<string, string>): Config['vendor'] {
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

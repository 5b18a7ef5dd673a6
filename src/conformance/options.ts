import type { ProxySettings } from '../platform/proxy.js'

/** What is checked, where and for how long. Everything may be left out. */
export interface ConformanceOptions {
  /** An account that the vendor's test system knows, for the orders; an invented one when left out. */
  accountId?: string
  /** The tenant of that account. */
  tenantKey?: string
  /** What orders name; `bgc-check` when left out. */
  packageId?: string
  additionalItemIds?: readonly string[]
  /** What the customer typed into the form of the binding, by key. */
  accountFields?: Readonly<Record<string, string>>
  /** What the customer typed into the order form, by key. */
  orderFields?: Readonly<Record<string, string>>
  /** Orders of the test system that have stages, results and reports to look at. They are read, never canceled. */
  orderIds?: readonly string[]
  /** Names of checks; all when left out. */
  only?: readonly string[]
  /** How long an order is watched for progress; 0, the default: not at all. */
  waitMs?: number
  /** Between two looks while something is waited for; 2000 when left out. */
  pollMs?: number
  /** How long a new order may take into the feed of changes, and a cancel into the order; 10000 when left out. */
  patienceMs?: number
  /** One call, whole, as VENDOR_TIMEOUT_MS; 10000 when left out. */
  timeoutMs?: number
  /** For the http adapter and for links of reports. */
  proxy?: ProxySettings
  /** Texts that no message may have, such as keys. */
  secrets?: readonly string[]
  /** Ends the run; what was placed is canceled all the same. */
  signal?: AbortSignal
  /** How waits are made; a test may pass its own. */
  pause?: (ms: number) => Promise<void>
}

/** The vendor's system behind the `http` adapter. */
export interface HttpVendorToCheck {
  /** VENDOR_BASE_URL. */
  baseUrl: string
  /** VENDOR_API_KEY. */
  apiKey: string
  /** Certificates in PEM to trust instead of the usual ones. */
  ca?: string
}

export interface Terms {
  readonly waitMs: number
  readonly pollMs: number
  readonly patienceMs: number
  readonly timeoutMs: number
  readonly pause: (ms: number) => Promise<void>
  /** Nothing is waited for any more. */
  readonly isOver: () => boolean
}

export function termsOf(options: ConformanceOptions): Terms {
  const { waitMs = 0, pollMs = 2000, patienceMs = 10_000, timeoutMs = 10_000, pause = sleep } = options
  const { signal } = options
  const isOver = () => signal?.aborted === true
  return { waitMs, pollMs, patienceMs, timeoutMs, pause: (ms) => untilOver(pause(ms), signal), isOver }
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms)
  })
}

/** A wait ends with the run. */
function untilOver(wait: Promise<void>, signal: AbortSignal | undefined): Promise<void> {
  if (signal === undefined) return wait
  return new Promise((resolve, reject) => {
    const end = () => {
      signal.removeEventListener('abort', end)
      resolve()
    }
    if (signal.aborted) end()
    else signal.addEventListener('abort', end, { once: true })
    wait.then(end, reject)
  })
}

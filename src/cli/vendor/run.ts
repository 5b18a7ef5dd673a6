import { type Config, readVendorConfig } from '../../config.js'
import {
  type CheckResult,
  type ConformanceOptions,
  conformanceChecks,
  runConformance,
} from '../../conformance/index.js'
import type { VendorAdapter } from '../../flow/vendor/adapter.js'
import { loadVendor } from '../../flow/vendor/load.js'
import { loadDotEnv } from '../dot-env.js'
import { exitCodes } from '../exit-codes.js'
import type { Io } from '../io.js'
import { agrees } from '../restore/ask.js'
import { untilSignal } from '../until-signal.js'
import { show, showList, showSum } from './show.js'

export interface VendorCheckFlags {
  yes?: boolean
  accountId?: string
  tenantKey?: string
  packageId?: string
  itemId?: string[]
  accountField?: Record<string, string>
  orderField?: Record<string, string>
  orderId?: string[]
  wait?: number
  only?: string[]
  list?: boolean
  json?: boolean
}

/** Answers the exit code; throws with every complaint about the environment. */
export async function runVendorCheck(flags: VendorCheckFlags, io: Io): Promise<number> {
  const { yes = false, json = false, only = [] } = flags
  if (flags.list === true) {
    showList(conformanceChecks, io)
    return exitCodes.ok
  }
  const unknown = only.filter((name) => !conformanceChecks.some((check) => check.name === name))
  if (unknown.length > 0) {
    io.err(`error: --only: there is no check ${unknown.join(', ')}; --list names them\n`)
    return exitCodes.usage
  }
  loadDotEnv()
  const config = readVendorConfig()
  if (!(await agrees(question(config), { yes, json }, io))) return exitCodes.failure
  const { results, isInterrupted } = await checkAll(config, flags, (result) => {
    if (!json) show(result, io)
  })
  if (json) io.out(`${JSON.stringify(results)}\n`)
  else showSum(results, io)
  if (isInterrupted) io.err('interrupted: what comes after was not checked\n')
  return isInterrupted || results.some(({ outcome }) => outcome === 'failed') ? exitCodes.failure : exitCodes.ok
}

function question({ vendor }: Pick<Config, 'vendor'>): string {
  const place = vendor.adapter === 'http' ? (vendor.baseUrl ?? '') : `the system behind ${vendor.adapter}`
  return `This binds a test account and places test orders at ${place}, and cancels them: against a test system only.`
}

async function checkAll(
  config: Pick<Config, 'vendor' | 'proxy'>,
  flags: VendorCheckFlags,
  tell: (result: CheckResult) => void,
): Promise<{ results: CheckResult[]; isInterrupted: boolean }> {
  const { baseUrl, apiKey, timeoutMs, adapter, environment } = config.vendor
  const stop = new AbortController()
  // Ctrl-C ends the run; what was placed is canceled first.
  void untilSignal().then(() => stop.abort())
  const isHttp = adapter === 'http' && baseUrl !== undefined && apiKey !== undefined
  const own: VendorAdapter | null = isHttp ? null : await loadVendor({ adapter, environment })
  const vendor = own ?? { baseUrl: baseUrl ?? '', apiKey: apiKey ?? '' }
  const secrets = Object.values(environment)
  const results: CheckResult[] = []
  try {
    const options = { ...optionsOf(flags), timeoutMs, secrets, proxy: config.proxy, signal: stop.signal }
    for await (const result of runConformance(vendor, options)) {
      results.push(result)
      tell(result)
    }
    return { results, isInterrupted: stop.signal.aborted }
  } finally {
    await own?.stop?.()
  }
}

function optionsOf(flags: VendorCheckFlags): ConformanceOptions {
  const { accountId, tenantKey, packageId, itemId, accountField, orderField, orderId, wait, only } = flags
  return {
    ...(accountId !== undefined && { accountId }),
    ...(tenantKey !== undefined && { tenantKey }),
    ...(packageId !== undefined && { packageId }),
    ...(itemId !== undefined && { additionalItemIds: itemId }),
    ...(accountField !== undefined && { accountFields: accountField }),
    ...(orderField !== undefined && { orderFields: orderField }),
    ...(orderId !== undefined && { orderIds: orderId }),
    ...(wait !== undefined && { waitMs: wait * 1000 }),
    ...(only !== undefined && { only }),
  }
}

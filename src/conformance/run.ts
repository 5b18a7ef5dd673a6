import type { VendorAdapter } from '../flow/vendor/adapter.js'
import { createHttpVendor } from '../flow/vendor/http.js'
import type { Check } from './check.js'
import { cleaningUp } from './checks/whole.js'
import { Ground } from './ground.js'
import { checksFor } from './list.js'
import { type ConformanceOptions, type HttpVendorToCheck, termsOf } from './options.js'
import { type CheckOutcome, type CheckResult, failed } from './result.js'

/**
 * The conformance suite: tries an adapter, or the system at a base URL, against docs/vendor-api.md, check by check.
 *
 * It places orders, so it belongs against a test system only. What it placed is canceled at the end, also when the
 * caller stops listening or `signal` ends the run. An adapter is not stopped: it is the caller's. Throws only for
 * settings that cannot be used: an unknown name in `only`, a malformed base URL or key.
 *
 * ```js
 * for await (const result of runConformance(adapter)) assert.notEqual(result.outcome, 'failed', result.check)
 * ```
 */
export async function* runConformance(
  vendor: VendorAdapter | HttpVendorToCheck,
  options: ConformanceOptions = {},
): AsyncGenerator<CheckResult, void, undefined> {
  const checks = checksFor(options.only)
  const http = 'placeOrder' in vendor ? null : vendor
  const adapter = 'placeOrder' in vendor ? vendor : adapterFor(vendor, options)
  const ground = new Ground(adapter, http, options)
  let isCleaned = false
  const clean = () => {
    isCleaned = true
    return runOne(cleaningUp, ground)
  }
  try {
    for (const check of checks) {
      if (options.signal?.aborted === true) break
      yield await runOne(check, ground)
    }
    if (ground.asked.size > 0 || options.only?.includes(cleaningUp.name) !== false) yield await clean()
  } finally {
    if (!isCleaned && ground.asked.size > 0) await clean()
    ground.files.stop()
    if (http !== null) await adapter.stop?.()
  }
}

function adapterFor(vendor: HttpVendorToCheck, options: ConformanceOptions): VendorAdapter {
  const { timeoutMs } = termsOf(options)
  return createHttpVendor({ ...vendor, timeoutMs, proxy: options.proxy ?? {} })
}

async function runOne(check: Check, ground: Ground): Promise<CheckResult> {
  const { name, about, see } = check
  const begun = performance.now()
  const outcome = await check.run(ground).catch(brokenCheck)
  return { check: name, about, see: `docs/vendor-api.md#${see}`, ms: Math.round(performance.now() - begun), ...outcome }
}

/** Answers have been looked at before, so this is a fault of the suite; the others go on. Its message may quote anything. */
function brokenCheck(thrown: unknown): CheckOutcome {
  return failed('a check that ends', `it threw ${thrown instanceof Error ? thrown.name : typeof thrown}`)
}

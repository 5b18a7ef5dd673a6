import { onTestFinished } from 'vitest'
import { type CheckResult, type ConformanceOptions, runConformance, type VendorAdapter } from '../../src/adapter.js'
import { createHttpVendor } from '../../src/flow/vendor/http.js'
import type { VendorOptions } from '../../src/sandbox/vendor/options.js'
import { type SandboxVendor, startSandboxVendor } from '../../src/sandbox/vendor/server.js'

export const apiKey = 'the-key-of-the-vendor'

/** Waits are for conditions: what is waited for comes at once or never. */
export const quick: ConformanceOptions = {
  timeoutMs: 60_000,
  patienceMs: 200,
  pollMs: 10,
  pause: () => new Promise(setImmediate),
}

export async function startVendor(options: Partial<VendorOptions> = {}): Promise<SandboxVendor> {
  const sandbox = await startSandboxVendor({ apiKey, ...options })
  onTestFinished(() => sandbox.stop())
  return sandbox
}

export function adapterOf({ url }: { url: string }): VendorAdapter {
  const adapter = createHttpVendor({ baseUrl: url, apiKey, timeoutMs: 10_000 })
  onTestFinished(async () => adapter.stop?.())
  return adapter
}

export async function resultsOf(
  vendor: Parameters<typeof runConformance>[0],
  options: ConformanceOptions = {},
): Promise<CheckResult[]> {
  const results: CheckResult[] = []
  for await (const result of runConformance(vendor, { ...quick, ...options })) results.push(result)
  return results
}

/** Over its base URL, wire and all. */
export function overHttp({ url }: { url: string }, options: ConformanceOptions = {}): Promise<CheckResult[]> {
  return resultsOf({ baseUrl: url, apiKey }, options)
}

/** The checks that complain, with what they complain about. */
export function complaints(results: readonly CheckResult[]): string[] {
  return results.flatMap((result) =>
    result.outcome === 'failed' || result.outcome === 'warning'
      ? [`${result.outcome} ${result.check}: expected ${result.expected}, got ${result.got}`]
      : [],
  )
}

export function namesOf(results: readonly CheckResult[], ...outcomes: ReadonlyArray<CheckResult['outcome']>): string[] {
  return results.filter(({ outcome }) => outcomes.includes(outcome)).map(({ check }) => check)
}

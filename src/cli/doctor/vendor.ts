import { loadVendor } from '../../flow/vendor/load.js'
import { explain } from '../explain.js'
import { type Check, ok, wrong } from './check.js'

export const vendorCheck: Check = {
  name: 'vendor',
  run: async ({ config: { vendor: settings, proxy } }) => {
    const { adapter, baseUrl, apiKey, timeoutMs, environment } = settings
    const http = baseUrl === undefined || apiKey === undefined ? {} : { http: { baseUrl, apiKey, timeoutMs, proxy } }
    try {
      const vendor = await loadVendor({ adapter, environment, ...http })
      const answer = await vendor.capabilities({ signal: AbortSignal.timeout(timeoutMs) })
      await vendor.stop?.()
      if (answer.kind === 'ok') {
        const can = Object.entries(answer.value).flatMap(([name, offered]) => (offered ? [name] : []))
        return ok(can.length === 0 ? 'answers, and offers nothing optional' : `answers, and offers ${can.join(', ')}`)
      }
      const remedy =
        answer.kind === 'misconfigured'
          ? 'check VENDOR_BASE_URL and VENDOR_API_KEY; docs/vendor-api.md'
          : 'check that the vendor’s system runs, and that this machine reaches VENDOR_BASE_URL'
      return wrong(answer.message, remedy)
    } catch (failure) {
      return wrong(explain(failure), 'mend the adapter, or VENDOR_ADAPTER')
    }
  },
}

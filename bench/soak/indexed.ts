import type { CallFilter, CallRecord, SandboxFeishu } from '../../src/sandbox/index.js'

/**
 * The same Feishu, its journal as it is now and sorted by check: the oracle asks once for each check, and the journal of
 * hours would be read through each time.
 */
export function indexed(feishu: SandboxFeishu): SandboxFeishu {
  const all = feishu.calls()
  const byCheck = new Map<string, CallRecord[]>()
  const byApi = new Map<string, CallRecord[]>()
  for (const call of all) {
    add(byCheck, call.backgroundCheckId, call)
    add(byApi, call.api, call)
  }
  const among = ({ backgroundCheckId, api }: CallFilter) => {
    if (backgroundCheckId !== undefined) return byCheck.get(backgroundCheckId) ?? []
    return api === undefined ? all : (byApi.get(api) ?? [])
  }
  const calls = (filter: CallFilter = {}) => among(filter).filter((call) => fits(call, filter))
  return { ...feishu, calls }
}

function add(index: Map<string, CallRecord[]>, key: string | undefined, call: CallRecord): void {
  if (key === undefined) return
  const calls = index.get(key)
  if (calls) calls.push(call)
  else index.set(key, [call])
}

function fits(call: CallRecord, { api, appId, tenantKey, backgroundCheckId, code, applied }: CallFilter): boolean {
  const wanted: ReadonlyArray<[unknown, unknown]> = [
    [api, call.api],
    [appId, call.appId],
    [tenantKey, call.tenantKey],
    [backgroundCheckId, call.backgroundCheckId],
    [code, call.code],
    [applied, call.applied],
  ]
  return wanted.every(([asked, has]) => asked === undefined || asked === has)
}

import type { Complain, Environment } from './read-values.js'
import { type Variable, type VariableName, variables } from './variables.js'

export function refuseUnknownNames(env: Environment, ownAdapter: boolean, complain: Complain): void {
  for (const name of Object.keys(env)) {
    const vendors = ownAdapter && name.startsWith('VENDOR_')
    if (/^(BGC|FEISHU|VENDOR)_/.test(name) && !vendors && !isKnown(name) && !isMadeByKubernetes(name)) {
      complain(`${name}: not a known name; docs/environment.md lists them`)
    }
  }
}

export function isKnown(name: string): boolean {
  if (name in variables) return true
  const plain = name.endsWith('_FILE') ? name.slice(0, -'_FILE'.length) : ''
  const variable: Variable<unknown> | undefined = plain in variables ? variables[plain as VariableName] : undefined
  return variable?.secret === true
}

/** A Kubernetes service named bgc-bridge puts such names into every pod of its namespace. */
function isMadeByKubernetes(name: string): boolean {
  return /^BGC_BRIDGE_(.*_)?(SERVICE_HOST|SERVICE_PORT.*|PORT|PORT.*_TCP.*)$/.test(name)
}

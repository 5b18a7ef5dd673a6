import { proxyAddress } from './parsers.js'
import type { Complain, Environment } from './read-values.js'

export interface ProxySettings {
  httpsProxy?: string
  httpProxy?: string
  noProxy?: string
}

export function readProxy(env: Environment, complain: Complain): ProxySettings {
  const httpsProxy = env.HTTPS_PROXY || env.https_proxy
  const httpProxy = env.HTTP_PROXY || env.http_proxy
  const noProxy = env.NO_PROXY || env.no_proxy
  for (const [name, value] of Object.entries({ HTTPS_PROXY: httpsProxy, HTTP_PROXY: httpProxy })) {
    // Not shown: it may hold a password.
    if (value && !proxyAddress.safeParse(value).success)
      complain(`${name}: expected the address of an http or https proxy`)
  }
  return { ...(httpsProxy && { httpsProxy }), ...(httpProxy && { httpProxy }), ...(noProxy && { noProxy }) }
}

import { isIP } from 'node:net'
import type { Config } from '../../config.js'
import { roles } from '../../config.js'
import { doubt, type Found, ok } from './check.js'

/** Settings that are valid and still not what a service in use should have. */
export function judgeSettings(config: Config): Found[] {
  const found = [
    ...(config.apiKeys.length === 0
      ? doubt('BGC_API_KEYS has no key: /v1 and /console answer 401 to everyone', 'set BGC_API_KEYS=name:secret')
      : []),
    ...(config.encryptionKeys.length === 0
      ? doubt(
          'BGC_ENCRYPTION_KEYS has no key: personal data lies in the database as it is',
          'set BGC_ENCRYPTION_KEYS, then run `bgc keys rotate`',
        )
      : []),
    ...judgeRoles(config),
    ...config.feishu.apps.flatMap(({ appId, baseUrl }) => judgeAddress(`FEISHU_BASE_URL of ${appId}`, baseUrl)),
    ...judgeAddress('VENDOR_BASE_URL', config.vendor.baseUrl),
    ...judgeAddress('BGC_PUBLIC_URL', config.reportLinks.publicUrl),
  ]
  return found.length > 0 ? found : ok(`${config.feishu.apps.length} app(s), adapter ${config.vendor.adapter}`)
}

function judgeRoles({ redis, roles: mine }: Config): Found[] {
  const missing = roles.filter((role) => !mine.includes(role))
  if (redis !== undefined || missing.length === 0) return []
  return doubt(
    `without Redis no other process can do what BGC_ROLES leaves out: ${missing.join(', ')}`,
    'set REDIS_URL (docs/redis.md has the other ways), or give this process every role',
  )
}

/** Secrets and personal data travel there. */
function judgeAddress(name: string, address: string | undefined): Found[] {
  if (address === undefined || address.startsWith('https:') || isNear(new URL(address).hostname)) return []
  return doubt(`${name} begins with http: keys and personal data travel in the clear`, 'use https')
}

/** This machine, a private network, or a name without a dot, as containers have. */
function isNear(host: string): boolean {
  if (isIP(host) === 4) return /^(127\.|10\.|192\.168\.|172\.(1[6-9]|2\d|3[01])\.)/.test(host)
  return host === '[::1]' || /^\[f[cd]/i.test(host) || !host.includes('.') || host.endsWith('.internal')
}

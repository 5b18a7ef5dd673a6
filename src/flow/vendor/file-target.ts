import { isIP } from 'node:net'
import { isPublicAddress } from '../../platform/public-address.js'

/** `own`: it lies on the vendor's own origin, where calls go anyway, so any address is right. */
export type Target = { kind: 'target'; url: URL; own: boolean } | { kind: 'refused'; message: string }

export interface TargetTerms {
  /** Of VENDOR_BASE_URL. */
  ownOrigin?: string
  /** As the names of a literal address are judged; the usual way when left out. */
  isPublic?: (address: string) => boolean
}

/**
 * Whether a link, or where a redirect leads to, may be fetched: public HTTPS, or the vendor's own origin. `from` is where
 * the redirect came from: only the vendor itself may lead back to its own origin, which may be a private one.
 */
export function judgeTarget(link: string, terms: TargetTerms, from?: URL): Target {
  const url = URL.canParse(link, from?.href) ? new URL(link, from?.href) : null
  if (url === null || !/^https?:$/.test(url.protocol)) return refused('expected an http or https link')
  if (url.username !== '' || url.password !== '') return refused('expected a link without a user and a password')
  const own = url.origin === terms.ownOrigin && (from === undefined || from.origin === terms.ownOrigin)
  if (own) return { kind: 'target', url, own }
  if (url.protocol !== 'https:') return refused('expected https')
  const host = bareHost(url)
  const { isPublic = isPublicAddress } = terms
  if (isIP(host) !== 0 && !isPublic(host)) return refused('the link leads to an address that is not public')
  return { kind: 'target', url, own }
}

/** Without the brackets of an IPv6 address. Other spellings of IPv4 addresses were read when the URL was. */
export function bareHost({ hostname }: URL): string {
  return hostname.replace(/^\[|\]$/g, '')
}

function refused(message: string): Target {
  return { kind: 'refused', message }
}

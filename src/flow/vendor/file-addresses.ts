import { promises as dns, type LookupAddress } from 'node:dns'
import { isIP, type LookupFunction } from 'node:net'
import { isPublicAddress } from '../../platform/public-address.js'

export type Resolve = (host: string) => Promise<LookupAddress[]>

export const resolveByDns: Resolve = (host) => dns.lookup(host, { all: true })

export type Pinned = { kind: 'pinned'; lookup: LookupFunction } | { kind: 'refused' } | { kind: 'unknown' }

/**
 * Resolves a name once and answers a look-up that knows nothing but the public addresses that came: the connection goes
 * to what was judged, whatever the name resolves to a moment later. `unknown`: there is no such name here.
 */
export async function pin(
  host: string,
  resolve: Resolve,
  isPublic: (address: string) => boolean = isPublicAddress,
): Promise<Pinned> {
  // Judged already, and a connection to a literal address looks nothing up.
  const found = isIP(host) === 0 ? await resolve(host).catch(() => null) : [{ address: host, family: isIP(host) }]
  const addresses = found?.filter(({ address }) => isPublic(address)) ?? []
  const [first] = addresses
  if (first === undefined) return { kind: found === null ? 'unknown' : 'refused' }
  const lookup: LookupFunction = (_host, options, done) => {
    if (options.all === true) done(null, addresses)
    else done(null, first.address, first.family)
  }
  return { kind: 'pinned', lookup }
}

/** Names that mean something in a private network only; asked where a proxy resolves the name, and nobody here can. */
export function isLocalName(host: string): boolean {
  const name = host.toLowerCase().replace(/\.$/, '')
  return (
    !name.includes('.') || /\.(localhost|local|internal|intranet|lan|home|corp|arpa|onion|test|invalid)$/.test(name)
  )
}

import type { IncomingMessage } from 'node:http'
import { BlockList, isIP } from 'node:net'

/** All addresses whose first `prefix` bits are those of `address`. */
export interface Network {
  address: string
  prefix: number
}

/** Where a request came from; an IPv4 address is written as one, however it arrived. */
export type AddressOf = (
  request: Pick<IncomingMessage, 'headers'> & {
    socket: { remoteAddress?: string | undefined }
  },
) => string

/**
 * `X-Forwarded-For` grows at its right end: each proxy adds who called it. It is believed only from a trusted peer, and
 * from there to the left up to the first hop that is not trusted; what stands further left is its sender's invention.
 */
export function createAddressOf(trusted: readonly Network[]): AddressOf {
  const isTrusted = oneOf(trusted)
  return ({ socket, headers }) => {
    let address = readAddress(socket.remoteAddress ?? '') ?? 'unknown'
    const hops = [headers['x-forwarded-for'] ?? []].flat().join().split(',')
    while (isTrusted(address)) {
      const before = readAddress(withoutPort(hops.pop() ?? ''))
      if (before === undefined) break
      address = before
    }
    return address
  }
}

/** Who has one IPv6 address has 2^64 of them: those that one subscriber or machine may pick from. RFC 4291 §2.5.1. */
export function neighbourhoodOf(address: string): string {
  return isIP(address) === 6 ? `${groupsOf(address).slice(0, 4).join(':')}::/64` : address
}

function oneOf(networks: readonly Network[]): (address: string) => boolean {
  const list = new BlockList()
  for (const { address, prefix } of networks) {
    const read = readAddress(address) ?? address
    const family = isIP(read) === 6 ? 'ipv6' : 'ipv4'
    // Of an IPv4 address in an IPv6 one, 96 bits say only that it is one.
    list.addSubnet(read, family !== 'ipv4' || isIP(address) === 4 ? prefix : prefix - 96, family)
  }
  return (address) => isIP(address) !== 0 && list.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4')
}

/** `undefined` for what is no address. Without a zone, which means something on one machine only. */
function readAddress(text: string): string | undefined {
  const address = text.trim().replace(/%.*$/, '')
  const family = isIP(address)
  if (family !== 6) return family === 4 ? address : undefined
  const groups = groupsOf(address)
  const [high = 0, low = 0] = groups.slice(6).map((group) => Number.parseInt(group, 16))
  if (!groups.join(':').startsWith('0:0:0:0:0:ffff:')) return new URL(`http://[${address}]`).hostname.slice(1, -1)
  return [high >> 8, high & 255, low >> 8, low & 255].join('.')
}

/** The eight groups of an IPv6 address, each without leading zeros. */
function groupsOf(address: string): string[] {
  const [left = '', right = ''] = new URL(`http://[${address}]`).hostname.slice(1, -1).split('::')
  const [front, back] = [left, right].map((half) => half.split(':').filter((group) => group !== ''))
  const given = [...(front ?? []), ...(back ?? [])]
  return [...(front ?? []), ...Array<string>(8 - given.length).fill('0'), ...(back ?? [])]
}

/** Some proxies write `192.0.2.1:4711` and `[2001:db8::1]:4711`. */
function withoutPort(hop: string): string {
  const text = hop.trim()
  return /^\[([^\]]*)\](?::\d+)?$/.exec(text)?.[1] ?? /^([\d.]+):\d+$/.exec(text)?.[1] ?? text
}

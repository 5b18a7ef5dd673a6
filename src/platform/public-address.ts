import { BlockList, isIP } from 'node:net'

/**
 * Networks of IPv4 that no stranger's server has a public address in: IANA's registry of special purposes, multicast and
 * what is reserved.
 */
const notPublic = new BlockList()
for (const [network, prefix] of [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 4],
  ['240.0.0.0', 4],
] as const) {
  notPublic.addSubnet(network, prefix, 'ipv4')
}

/**
 * Of IPv6 only 2000::/3 is given to servers (RFC 4291). What is not of it is refused with all that it may hide: loopback,
 * ULA, link-local, multicast, IPv4-mapped and NAT64 addresses. In it lie tunnels that carry IPv4 addresses, too.
 */
const given = new BlockList()
given.addSubnet('2000::', 3, 'ipv6')
const specialOfGiven = new BlockList()
for (const [network, prefix] of [
  // Teredo, benchmarking, ORCHID
  ['2001::', 23],
  ['2001:db8::', 32],
  // 6to4
  ['2002::', 16],
  ['3fff::', 20],
] as const) {
  specialOfGiven.addSubnet(network, prefix, 'ipv6')
}

/** Whether an address, as `isIP` knows them, is one of a server on the public internet. */
export function isPublicAddress(address: string): boolean {
  const family = isIP(address)
  if (family === 4) return !notPublic.check(address, 'ipv4')
  // A zone means something on one machine only.
  if (family !== 6 || address.includes('%')) return false
  return given.check(address, 'ipv6') && !specialOfGiven.check(address, 'ipv6')
}

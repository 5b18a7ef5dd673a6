import { BlockList, isIP, isIPv6 } from 'node:net'

/** As HTTP_PROXY, HTTPS_PROXY and NO_PROXY have them. */
export interface ProxySettings {
  httpProxy?: string | undefined
  httpsProxy?: string | undefined
  noProxy?: string | undefined
}

/** Answers the proxy that a call has to go through, or null. */
export type ProxyChoice = (target: URL) => URL | null

/** Throws when a proxy's address is not one; the message has no values, since addresses may hold passwords. */
export function readProxies(settings: ProxySettings = {}): ProxyChoice {
  const http = readProxy('HTTP_PROXY', settings.httpProxy)
  const https = readProxy('HTTPS_PROXY', settings.httpsProxy)
  const exceptions = (settings.noProxy ?? '').split(/[\s,]+/).filter((entry) => entry !== '')
  return (target) => {
    const proxy = target.protocol === 'https:' ? https : http
    return proxy === null || exceptions.some((entry) => isException(entry, target)) ? null : proxy
  }
}

function readProxy(name: string, value = ''): URL | null {
  if (value === '') return null
  const address = value.includes('://') ? value : `http://${value}`
  const proxy = URL.canParse(address) ? new URL(address) : null
  if (proxy === null || !/^https?:$/.test(proxy.protocol) || proxy.hostname === '') {
    throw new Error(`${name}: expected the address of an http or https proxy`)
  }
  return proxy
}

/** `*`, a host with everything below it (`example.com`, `.example.com`), an address, a network; each may name a port. */
function isException(entry: string, target: URL): boolean {
  if (entry === '*') return true
  const { name, port } = splitPort(entry)
  if (port !== undefined && port !== portOf(target)) return false
  const host = bare(target.hostname)
  if (name.includes('/')) return isInNetwork(name, host)
  return host === name || (name !== '' && isIP(host) === 0 && host.endsWith(`.${name}`))
}

function splitPort(entry: string): { name: string; port?: number } {
  const [, name, port] = isIPv6(entry) ? [] : (/^(.*):(\d+)$/.exec(entry) ?? [])
  if (name === undefined) return { name: plainName(entry) }
  return { name: plainName(name), port: Number(port) }
}

function plainName(text: string): string {
  return bare(text.toLowerCase()).replace(/^\*?\./, '')
}

/** Without the brackets of an IPv6 address and the final dot of an absolute name. */
function bare(host: string): string {
  return host.replace(/^\[|\]$|\.$/g, '')
}

export function portOf(url: URL): number {
  if (url.port !== '') return Number(url.port)
  return url.protocol === 'https:' ? 443 : 80
}

function isInNetwork(network: string, host: string): boolean {
  const [address = '', length = ''] = network.split('/')
  const family = isIPv6(address) ? 'ipv6' : 'ipv4'
  const longest = family === 'ipv6' ? 128 : 32
  if (isIP(address) === 0 || isIP(host) === 0 || !/^\d+$/.test(length) || Number(length) > longest) return false
  const block = new BlockList()
  block.addSubnet(address, Number(length), family)
  return block.check(host, isIPv6(host) ? 'ipv6' : 'ipv4')
}

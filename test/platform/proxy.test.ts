import { expect, it } from 'vitest'
import { readProxies } from '../../src/platform/proxy.js'

const proxies = { httpProxy: 'http://plain:8080', httpsProxy: 'secure:3128' }

it('chooses by the scheme of the target, and takes an address without one for http', () => {
  const proxyFor = readProxies(proxies)
  expect(proxyFor(new URL('http://a.example'))?.href).toBe('http://plain:8080/')
  expect(proxyFor(new URL('https://a.example'))?.href).toBe('http://secure:3128/')
  expect(readProxies()(new URL('https://a.example'))).toBeNull()
  expect(readProxies({ httpsProxy: '' })(new URL('https://a.example'))).toBeNull()
})

it.each([
  ['*', 'https://a.example', true],
  ['a.example', 'https://a.example', true],
  ['A.Example', 'https://a.example', true],
  ['a.example', 'https://b.a.example', true],
  ['a.example', 'https://ba.example', false],
  ['.a.example', 'https://b.a.example', true],
  ['*.a.example', 'https://b.a.example', true],
  ['a.example', 'https://a.example./', true],
  ['x,a.example', 'https://a.example', true],
  ['x a.example', 'https://a.example', true],
  ['a.example:443', 'https://a.example', true],
  ['a.example:8443', 'https://a.example', false],
  ['a.example:8443', 'https://a.example:8443', true],
  ['10.1.2.3', 'http://10.1.2.3', true],
  ['2.3', 'http://10.1.2.3', false],
  ['10.0.0.0/8', 'http://10.1.2.3', true],
  ['10.0.0.0/8', 'http://11.1.2.3', false],
  ['10.0.0.0/8', 'http://a.example', false],
  ['10.0.0.0/80', 'http://10.1.2.3', false],
  ['::1', 'http://[::1]:80', true],
  ['[::1]:80', 'http://[::1]', true],
  ['fd00::/8', 'http://[fd00::1]', true],
  ['', 'http://a.example', false],
])('%j excepts %s: %s', (noProxy, target, excepted) => {
  expect(readProxies({ ...proxies, noProxy })(new URL(target)) === null).toBe(excepted)
})

it.each(['http://', 'socks5://user:secret@host', 'http://user:secret@'])(
  'refuses %s without repeating it',
  (address) => {
    expect(() => readProxies({ httpsProxy: address })).toThrow(/^HTTPS_PROXY: expected the address/)
  },
)

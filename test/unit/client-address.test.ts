import fc from 'fast-check'
import { describe, expect, it, test } from 'vitest'
import { createAddressOf, neighbourhoodOf } from '../../src/platform/client-address.js'
import { complaintsOf, read } from './config-kit.js'

const trusted = '10.0.0.0/8, 192.0.2.7, fd00::/8, ::ffff:198.51.100.0/120'
const addressOf = createAddressOf(read({ BGC_TRUSTED_PROXIES: trusted }).trustedProxies)
const from = (remoteAddress: string | undefined, forwarded?: string) =>
  addressOf({ socket: { remoteAddress }, headers: forwarded === undefined ? {} : { 'x-forwarded-for': forwarded } })

describe('the address of a request', () => {
  test.each([
    ['203.0.113.9', undefined, '203.0.113.9'],
    ['::ffff:203.0.113.9', undefined, '203.0.113.9'],
    ['2001:DB8:0:0::1', undefined, '2001:db8::1'],
    ['fe80::1%eth0', undefined, 'fe80::1'],
    [undefined, '203.0.113.9', 'unknown'],
    ['203.0.113.9', '198.18.0.1', '203.0.113.9'],
    ['10.1.2.3', undefined, '10.1.2.3'],
    ['10.1.2.3', '', '10.1.2.3'],
    ['10.1.2.3', '203.0.113.9', '203.0.113.9'],
    ['::ffff:10.1.2.3', '203.0.113.9', '203.0.113.9'],
    ['192.0.2.7', '203.0.113.9', '203.0.113.9'],
    ['192.0.2.8', '203.0.113.9', '192.0.2.8'],
    ['198.51.100.4', '203.0.113.9', '203.0.113.9'],
    ['198.51.101.4', '203.0.113.9', '198.51.101.4'],
    ['fd00::5', '2001:db8::9', '2001:db8::9'],
    ['10.1.2.3', '198.18.0.1, 203.0.113.9', '203.0.113.9'],
    ['10.1.2.3', '198.18.0.1, 203.0.113.9, 10.9.9.9, 192.0.2.7', '203.0.113.9'],
    ['10.1.2.3', '10.4.4.4, 10.5.5.5', '10.4.4.4'],
    ['10.1.2.3', '203.0.113.9:4711', '203.0.113.9'],
    ['10.1.2.3', '[2001:db8::9]:4711', '2001:db8::9'],
    ['10.1.2.3', '[2001:db8::9]', '2001:db8::9'],
    ['10.1.2.3', '203.0.113.9, unknown', '10.1.2.3'],
    ['10.1.2.3', '203.0.113.9, 10.9.9.9, nonsense, 10.8.8.8', '10.8.8.8'],
    ['10.1.2.3', '203.0.113.9,', '10.1.2.3'],
    ['10.1.2.3', '203.0.113.9, 010.0.0.1', '10.1.2.3'],
  ])('with the peer %s and X-Forwarded-For %j is %s', (peer, forwarded, address) => {
    expect(from(peer, forwarded)).toBe(address)
  })

  const v4 = fc.ipV4()
  const anyAddress = fc.oneof(v4, fc.ipV6(), fc.constantFrom('10.0.0.1', 'fd00::1', 'unknown'))
  const forged = fc.oneof(fc.string({ maxLength: 40 }), fc.array(anyAddress, { maxLength: 6 }).map(String))
  const outside = v4.filter((address) => !/^(10\.|192\.0\.2\.7$|198\.51\.100\.)/.test(address))

  it('is its own for whoever is not trusted, whatever it says', () => {
    fc.assert(fc.property(outside, forged, (peer, said) => from(peer, said) === peer))
  })

  it('is what the first trusted proxy saw, whatever the client said to it', () => {
    fc.assert(
      fc.property(outside, forged, fc.constantFrom('', ', 10.7.7.7', ', 192.0.2.7, 10.7.7.7'), (client, said, hops) => {
        expect(from('10.1.2.3', `${said}, ${client}${hops}`)).toBe(client)
      }),
    )
  })

  it('has one neighbourhood for each /64, and for each IPv4 address', () => {
    expect(neighbourhoodOf('2001:db8:0:7::1')).toBe('2001:db8:0:7::/64')
    expect(neighbourhoodOf('2001:db8:0:7:ffff:ffff:ffff:ffff')).toBe('2001:db8:0:7::/64')
    expect(neighbourhoodOf('2001:db8::1')).toBe('2001:db8:0:0::/64')
    expect(neighbourhoodOf('::1')).toBe('0:0:0:0::/64')
    expect(neighbourhoodOf('203.0.113.9')).toBe('203.0.113.9')
    expect(neighbourhoodOf('unknown')).toBe('unknown')
  })
})

describe('BGC_TRUSTED_PROXIES', () => {
  it('takes addresses and ranges of either kind', () => {
    expect(read({}).trustedProxies).toEqual([])
    expect(read({ BGC_TRUSTED_PROXIES: '10.0.0.0/8,192.0.2.7 , ::1,fd00::/8' }).trustedProxies).toEqual([
      { address: '10.0.0.0', prefix: 8 },
      { address: '192.0.2.7', prefix: 32 },
      { address: '::1', prefix: 128 },
      { address: 'fd00::', prefix: 8 },
    ])
  })

  test.each([
    ...['proxy', '10.0.0', '10.0.0.0/33', '10.0.0.0/-1', '10.0.0.0/8/8', '10.0.0.0/', '10.0.0.1:80', '::1/129'],
    ...['[::1]', 'fe80::1%eth0', '10.0.0.0/1e1', '/8', '::ffff:10.0.0.0/8', '0:0:0:0:0:FFFF:a00:1/95', '*'],
  ])('names what is none: %s', (entry) => {
    const [complaint, ...more] = complaintsOf({ BGC_TRUSTED_PROXIES: `10.0.0.1,${entry}` })
    expect(complaint).toContain(`BGC_TRUSTED_PROXIES: expected addresses or ranges like 10.0.0.0/8, and not "${entry}"`)
    expect(more).toEqual([])
  })

  it('names all that are none', () => {
    expect(complaintsOf({ BGC_TRUSTED_PROXIES: 'a,10.0.0.1,b' })[0]).toContain('and not "a" and "b"')
  })
})

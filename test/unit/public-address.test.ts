import { describe, expect, it } from 'vitest'
import { isLocalName } from '../../src/flow/vendor/file-addresses.js'
import { judgeTarget } from '../../src/flow/vendor/file-target.js'
import { isPublicAddress } from '../../src/platform/public-address.js'

describe('an address', () => {
  it.each([
    '1.1.1.1',
    '9.255.255.255',
    '11.0.0.0',
    '100.63.255.255',
    '100.128.0.0',
    '172.15.255.255',
    '172.32.0.0',
    '192.167.255.255',
    '192.169.0.0',
    '223.255.255.255',
    '2400:3200::1',
    '2606:4700:4700::1111',
  ])('%s is public', (address) => expect(isPublicAddress(address)).toBe(true))

  it.each([
    // "This network", private ones, carriers', loopback, link-local with the metadata of clouds, special, multicast.
    ...[
      '0.0.0.0',
      '0.1.2.3',
      '10.0.0.1',
      '100.64.0.1',
      '127.0.0.1',
      '127.255.255.254',
      '169.254.169.254',
      '172.16.0.1',
    ],
    ...['172.31.255.255', '192.0.0.1', '192.0.2.1', '192.88.99.1', '192.168.1.1', '198.18.0.1', '198.51.100.1'],
    ...['203.0.113.1', '224.0.0.1', '239.255.255.255', '240.0.0.1', '255.255.255.255'],
    // Unspecified, loopback, IPv4-mapped and -compatible, NAT64, ULA, link-local, site-local, multicast, documentation.
    ...['::', '::1', '::ffff:127.0.0.1', '::ffff:8.8.8.8', '::127.0.0.1', '64:ff9b::7f00:1', '64:ff9b:1::1', '100::1'],
    ...[
      'fc00::1',
      'fd00:ec2::254',
      'fe80::1',
      'fe80::1%eth0',
      'fec0::1',
      'ff02::1',
      '2001:db8::1',
      '3fff::1',
      '5f00::1',
    ],
    // Tunnels that carry IPv4: Teredo and 6to4 to 127.0.0.1.
    ...['2001:0:53aa:64c::80ff:fffe', '2002:7f00:1::'],
    ...['', 'localhost', '1.1.1.1.1', '2606:4700:4700::1111%1'],
  ])('%s is not', (address) => expect(isPublicAddress(address)).toBe(false))
})

const own = { ownOrigin: 'http://vendor.internal:8080' }

describe('a link', () => {
  it.each([
    'https://files.example.com/r/1.pdf?signature=a%2Fb#part',
    'https://files.example.com:8443/1.pdf',
    'https://1.1.1.1/1.pdf',
    'https://[2606:4700:4700::1111]/1.pdf',
  ])('%s may be fetched', (link) => {
    expect(judgeTarget(link, own)).toMatchObject({ kind: 'target', own: false })
  })

  it.each(['http://vendor.internal:8080/1.pdf', 'http://VENDOR.internal:8080/../1.pdf'])(
    '%s of the vendor’s own may be fetched as it is',
    (link) => expect(judgeTarget(link, own)).toMatchObject({ kind: 'target', own: true }),
  )

  it.each([
    // The many spellings of 127.0.0.1 and of other private addresses.
    ...['https://127.0.0.1/', 'https://127.1/', 'https://2130706433/', 'https://0x7f000001/', 'https://0x7f.1/'],
    ...[
      'https://0177.0.0.1/',
      'https://017700000001/',
      'https://127.0.0.1./',
      'https://１２７.0.0.1/',
      'https://127。0。0。1/',
    ],
    ...['https://0/', 'https://[::1]/', 'https://[::]/', 'https://[::ffff:127.0.0.1]/', 'https://[::ffff:7f00:1]/'],
    ...[
      'https://[64:ff9b::7f00:1]/',
      'https://[fd00::1]/',
      'https://169.254.169.254/latest/',
      'https://10.0.0.1:8443/',
    ],
    // No encryption, but on the vendor's own origin: another port, host or scheme is another origin.
    ...['http://files.example.com/1.pdf', 'http://vendor.internal/1.pdf', 'http://vendor.internal:8081/1.pdf'],
    ...['http://x.vendor.internal:8080/1.pdf', 'http://1.1.1.1/'],
    ...['https://user@files.example.com/', 'https://user:word@files.example.com/', 'http://u@vendor.internal:8080/'],
    ...[
      'file:///etc/passwd',
      'ftp://files.example.com/',
      'data:application/pdf,x',
      'gopher://127.0.0.1/',
      'about:blank',
    ],
    ...['', '/1.pdf', 'files.example.com/1.pdf', 'https://', 'https://[::1', 'https://a b/', 'javascript:alert(1)'],
  ])('%s may not be fetched', (link) => {
    expect(judgeTarget(link, own)).toMatchObject({ kind: 'refused' })
  })

  it('back to the vendor’s own origin is the vendor’s own to give', () => {
    const back = 'http://vendor.internal:8080/2.pdf'
    expect(judgeTarget(back, own, new URL('https://files.example.com/1.pdf'))).toMatchObject({ kind: 'refused' })
    expect(judgeTarget(back, own, new URL('http://vendor.internal:8080/1.pdf'))).toMatchObject({ own: true })
    expect(judgeTarget('/2.pdf', own, new URL('http://vendor.internal:8080/1.pdf'))).toMatchObject({ own: true })
  })

  it('is refused without being repeated', () => {
    const secret = 'http://secret.example/secret?secret'
    expect(JSON.stringify(judgeTarget(secret, own))).not.toContain('secret')
  })
})

it.each([
  ['localhost', true],
  ['metadata', true],
  ['metadata.google.internal', true],
  ['printer.local.', true],
  ['files.example.com', false],
])('the name %s is a private one: %s', (name, isLocal) => expect(isLocalName(name)).toBe(isLocal))

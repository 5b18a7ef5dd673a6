import { describe, expect, it } from 'vitest'
import { complaintsOf, read } from './config-kit.js'

const cluster = { REDIS_CLUSTER_NODES: 'a:6379' }
const sentinels = { REDIS_SENTINELS: 'a:26379', REDIS_SENTINEL_NAME: 'main' }
const oneWay = (...names: string[]) => `${names.join(', ')}: expected one of them`

describe('where Redis is', () => {
  it('is nowhere, when nothing is set: one process', () => {
    expect(read({})).not.toHaveProperty('redis')
  })

  it('is one address, with all that it says', () => {
    const url = 'rediss://user:secret@redis:6379/2'
    expect(read({ REDIS_URL: url }).redis).toEqual({ kind: 'single', url })
  })

  it('is a cluster, of which some nodes are known', () => {
    expect(read({ REDIS_CLUSTER_NODES: ' redis-1:6379 , [fd00::1]:7000,10.0.0.3:6379 ' }).redis).toEqual({
      kind: 'cluster',
      nodes: [
        { host: 'redis-1', port: 6379 },
        { host: 'fd00::1', port: 7000 },
        { host: '10.0.0.3', port: 6379 },
      ],
      tls: false,
    })
  })

  it('is behind sentinels, which have a password of their own', () => {
    const given = {
      ...sentinels,
      REDIS_SENTINEL_PASSWORD: 'of-sentinels',
      REDIS_USERNAME: 'bgc',
      REDIS_PASSWORD_FILE: '/password',
      REDIS_TLS: 'true',
    }
    expect(read(given, { '/password': 'of-redis\n' }).redis).toEqual({
      kind: 'sentinel',
      sentinels: [{ host: 'a', port: 26379 }],
      name: 'main',
      sentinelPassword: 'of-sentinels',
      username: 'bgc',
      password: 'of-redis',
      tls: true,
    })
  })

  it.each(['a', 'a:', ':6379', 'a:0', 'a:65536', 'a:6379,', 'redis://a:6379', 'u:p@a:6379', 'fd00::1:6379', ','])(
    'is not at %j',
    (nodes) => {
      // An empty entry is passed over, as in every list.
      const expected = nodes === 'a:6379,' ? [] : [expect.stringContaining('expected host:port')]
      expect(complaintsOf({ REDIS_CLUSTER_NODES: nodes })).toEqual(expected)
      expect(complaintsOf({ ...sentinels, REDIS_SENTINELS: nodes })).toEqual(expected)
    },
  )

  it.each([
    [{ REDIS_URL: 'redis://a', ...cluster }, oneWay('REDIS_URL', 'REDIS_CLUSTER_NODES')],
    [{ REDIS_URL: 'redis://a', ...sentinels }, oneWay('REDIS_URL', 'REDIS_SENTINELS')],
    [{ ...cluster, ...sentinels }, oneWay('REDIS_CLUSTER_NODES', 'REDIS_SENTINELS')],
    [
      { REDIS_URL: 'redis://a', ...cluster, ...sentinels },
      oneWay('REDIS_URL', 'REDIS_CLUSTER_NODES', 'REDIS_SENTINELS'),
    ],
    [{ REDIS_SENTINELS: 'a:26379' }, 'REDIS_SENTINEL_NAME: required with REDIS_SENTINELS'],
    [{ REDIS_SENTINEL_NAME: 'main' }, 'REDIS_SENTINEL_NAME: expected REDIS_SENTINELS beside it'],
    [{ ...cluster, REDIS_SENTINEL_NAME: 'main' }, 'REDIS_SENTINEL_NAME: expected REDIS_SENTINELS beside it'],
    [{ ...cluster, REDIS_SENTINEL_PASSWORD: 'x' }, 'REDIS_SENTINEL_PASSWORD: expected REDIS_SENTINELS beside it'],
    [{ ...cluster, REDIS_USERNAME: 'bgc' }, 'REDIS_USERNAME: expected REDIS_PASSWORD beside it'],
  ])('is said in one way, and as a whole: %j', (given, complaint) => {
    expect(complaintsOf(given)).toEqual([complaint])
  })

  it.each(['REDIS_USERNAME', 'REDIS_PASSWORD', 'REDIS_TLS'])(
    '%s is for many servers, and never passed over',
    (name) => {
      const given = { [name]: 'true' }
      expect(complaintsOf({ ...given, REDIS_URL: 'redis://a' })).toEqual([
        `${name}: must not be set together with REDIS_URL, which says it itself`,
      ])
      expect(complaintsOf(given)).toEqual([`${name}: expected REDIS_CLUSTER_NODES or REDIS_SENTINELS beside it`])
    },
  )

  it('is complained about once when a value is refused', () => {
    expect(complaintsOf({ ...cluster, REDIS_TLS: 'yes' })).toEqual(['REDIS_TLS: expected true or false, got "yes"'])
    expect(complaintsOf({ ...sentinels, REDIS_SENTINELS: 'nowhere' })).toHaveLength(1)
  })

  it('may stand beside names that others use', () => {
    expect(complaintsOf({ ...cluster, REDIS_HOST: 'a', REDIS_PORT: 'tcp://10.0.0.1:6379' })).toEqual([])
  })
})

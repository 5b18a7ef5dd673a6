import { expect, test } from 'vitest'
import type { RedisClient } from '../../src/platform/queue/redis-place.js'
import { isWhole, lackOf } from '../../src/platform/queue/redis-whole.js'

const text = (fields: Record<string, string | number>) =>
  Object.entries(fields)
    .map(([name, value]) => `${name}:${value}\r\n`)
    .join('')

/** All that is asked of each; the fields are those that Redis 7 writes. */
const cluster = (fields: Record<string, string | number>) =>
  ({ nodes: () => [], cluster: async () => text({ ...whole, ...fields }) }) as unknown as RedisClient
const server = (role: string) => ({ info: async () => `# Replication\r\n${text({ role })}` }) as unknown as RedisClient

const whole = {
  cluster_enabled: 1,
  cluster_state: 'ok',
  cluster_slots_assigned: 16_384,
  cluster_slots_ok: 16_384,
  cluster_slots_pfail: 0,
  cluster_slots_fail: 0,
}

test('a cluster is whole when every slot has a primary that answers', async () => {
  expect(await lackOf(cluster({}))).toBe(null)
})

test.each([
  { cluster_state: 'fail' },
  { cluster_slots_ok: 10_923, cluster_slots_fail: 5461 },
  { cluster_slots_assigned: 10_923, cluster_slots_ok: 10_923 },
])('a cluster lacks a part when it says %j, also where it goes on without it', async (fields) => {
  expect(await lackOf(cluster(fields))).toBe('a part of the cluster is missing')
  expect(await isWhole(cluster(fields))).toBe(false)
})

test('one server has to be the primary', async () => {
  expect(await lackOf(server('master'))).toBe(null)
  expect(await lackOf(server('slave'))).toBe('it is a replica')
})

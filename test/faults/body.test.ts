import { IncomingMessage } from 'node:http'
import { Socket } from 'node:net'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type Body, readBody } from '../../src/flow/from-feishu/body.js'
import { createBudget } from '../../src/flow/from-feishu/budget.js'
import { bytesInUse, mebibyte } from './memory.js'

/** A body under way, whose parts come by hand. */
function underWay(budget = createBudget(64 * mebibyte)) {
  const request = new IncomingMessage(new Socket())
  const body = readBody(request, mebibyte, 60_000, budget)
  return { request, body, part: (bytes: Buffer) => request.emit('data', bytes) }
}

test('holds a body of a million parts in no more than twice its bytes', async () => {
  const { request, body, part } = underWay()
  const before = await bytesInUse()
  for (let block = 0; block < 100; block += 1) {
    // As a socket reads them: parts are views of a block, and each keeps its block alive.
    const bytes = Buffer.alloc(65_536, 0x20)
    for (let at = 0; at < 10_000; at += 1) part(bytes.subarray(at * 6, at * 6 + 1))
  }
  expect((await bytesInUse()) - before).toBeLessThan(3 * mebibyte)
  request.emit('end')
  const read = await body
  expect(read.kind === 'read' && read.bytes.equals(Buffer.alloc(1_000_000, 0x20))).toBe(true)
})

test('bodies together hold no more than their budget and 16 KiB each, and give all of it back', async () => {
  const step = fc.record({ of: fc.nat(9), bytes: fc.integer({ min: 1, max: 300_000 }), ends: fc.boolean() })
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
      const most = mebibyte
      let left = most
      const budget = {
        take: (bytes: number) => {
          if (bytes > left) return false
          left -= bytes
          return true
        },
        give: (bytes: number) => {
          left += bytes
        },
      }
      const bodies = Array.from({ length: 10 }, () => ({
        ...underWay(budget),
        sent: 0,
        ended: undefined as Body | undefined,
      }))
      for (const each of bodies) void each.body.then((ended) => Object.assign(each, { ended }))
      for (const { of, bytes, ends } of steps) {
        const each = bodies[of]
        if (each === undefined || each.ended !== undefined) continue
        each.sent += bytes
        each.part(Buffer.alloc(bytes))
        if (ends) each.request.emit('end')
        await Promise.resolve()
        expect(left).toBeGreaterThanOrEqual(0)
        const open = bodies.filter(({ ended }) => ended === undefined)
        const held = open.reduce((sum, { sent }) => sum + sent, 0)
        expect(held).toBeLessThanOrEqual(most - left + open.length * 16_384)
      }
      for (const { request } of bodies) request.emit('close')
      expect(left).toBe(most)
    }),
  )
})

test('a body of an ordinary event is read when large ones have taken everything', async () => {
  const budget = createBudget(0)
  const large = underWay(budget)
  large.part(Buffer.alloc(16_385))
  expect(await large.body).toEqual({ kind: 'crowded' })
  const small = underWay(budget)
  small.part(Buffer.alloc(16_384, 1))
  small.request.emit('end')
  const read = await small.body
  expect(read.kind === 'read' && read.bytes.equals(Buffer.alloc(16_384, 1))).toBe(true)
})

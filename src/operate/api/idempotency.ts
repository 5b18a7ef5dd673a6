import { z } from 'zod'
import type { Parts } from '../../app.js'
import type { ApiKey } from '../../config.js'
import { openJson, sealJson } from '../../platform/crypto/data-key.js'
import type { Mark } from './audited.js'
import { begin, finish, giveUp, type Mine, noteEffect } from './idempotency-rows.js'
import { misfit, type Problem, problem } from './problems.js'
import { type Reply, replyOf } from './reply.js'

/**
 * `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header-07): the first request with a key runs, a repeat gets its
 * answer, for a day. Kept are answers that decide: success, 404, 409, 422. What never ran (400, 401, 403, 413, 415, 429)
 * or failed (5xx) is not, and the same key may be used again.
 *
 * The effect of a write is noted in its own transaction, its answer after that. Should a process die between the two, a
 * repeat is told so and does nothing. Writes that keep no such note (audit `by itself`) come to the same when they are
 * repeated: what is erased stays erased, and a retry of many goes on with those that are still dead.
 */
export interface Given {
  key: ApiKey
  /** The header as it came. */
  given: string | string[] | undefined
  method: string
  path: string
  query: URLSearchParams
  body: unknown
}

const decides = [200, 202, 404, 409, 422]
const expectedKey = 'expected 1 to 255 visible ASCII characters'

export function createOnce(parts: Pick<Parts, 'database' | 'sealer' | 'log'> & Partial<Pick<Parts, 'metrics'>>) {
  return async (request: Given, run: (mark?: Mark) => Promise<Reply>): Promise<Reply> => {
    const { given } = request
    if (given === undefined) return run()
    if (typeof given !== 'string' || !/^[\x21-\x7e]{1,255}$/.test(given))
      return replyOf(misfit([{ path: 'Idempotency-Key', message: expectedKey }]))
    const keys = hashesOf(parts, JSON.stringify([request.key.name, given]), 'idempotency-key')
    const requests = hashesOf(parts, canonical(request), 'idempotency-request')
    const begun = await begin(parts.database, keys, requests)
    switch (begun.kind) {
      case 'mine':
        return runOnce(parts, begun, run)
      case 'answered':
        parts.metrics?.replays.inc()
        return replay(parts, begun)
      case 'running':
        return replyOf(inUse)
      case 'lost':
        return replyOf(lost)
      case 'other':
        return replyOf(reused)
    }
  }
}

async function runOnce(
  parts: Pick<Parts, 'database' | 'sealer' | 'log'>,
  mine: Mine,
  run: (mark: Mark) => Promise<Reply>,
) {
  const { database, sealer, log } = parts
  const unclear = (failure: unknown) => {
    // The write is over, and the client shall hear how it went: the key is free again when its time is over.
    log.warn({ event: 'api.answer_not_kept', err: failure }, 'the answer to an Idempotency-Key could not be kept')
  }
  let reply: Reply
  try {
    reply = await run(async (sql) => {
      if (!(await noteEffect(sql, mine))) throw new TakenOver('a later request with the same key runs')
    })
  } catch (failure) {
    if (failure instanceof TakenOver) return replyOf(inUse)
    await giveUp(database, mine).catch(unclear)
    throw failure
  }
  const kept = decides.includes(reply.status)
    ? finish(database, mine, reply.status, sealJson(sealer, reply.body, contextOf(mine.hash)))
    : giveUp(database, mine)
  await kept.catch(unclear)
  return reply
}

function replay({ sealer }: Pick<Parts, 'sealer'>, kept: { hash: Buffer; status: number; sealed: Buffer }): Reply {
  const body = z.looseObject({}).parse(openJson(sealer, kept.sealed, contextOf(kept.hash)))
  return { status: kept.status, body, headers: { 'Idempotency-Replayed': 'true' } }
}

/** Takes the effect back: the first was so late that a repeat runs in its place. */
class TakenOver extends Error {}

const inUse = problem('idempotency-key-in-use', 'the first request with this key is not answered yet', {
  headers: { 'Retry-After': '1' },
})
const lost = problem('answer-lost', 'nothing is done again: look at what it was about, and use a new key')
const reused: Problem = problem(
  'idempotency-key-reused',
  'this key came with another method, path, query or body before',
)

const contextOf = (hash: Buffer) => `idempotency:${hash.toString('hex')}`

/** Keyed, since keys and bodies may hold what can be guessed; under every key, so that a rotation forgets none. */
function hashesOf({ sealer }: Pick<Parts, 'sealer'>, value: string, purpose: string): Buffer[] {
  return sealer.hashes(value, purpose).map(({ hash }) => hash)
}

/** The same for the same request however its members and parameters are ordered. */
function canonical({ method, path, query, body }: Given): string {
  const sorted = [...query].toSorted(([one], [other]) => (one < other ? -1 : 1))
  return JSON.stringify([method, path, sorted, body === undefined ? null : [body]], (_name, value: unknown) =>
    typeof value === 'object' && value !== null && !Array.isArray(value)
      ? Object.fromEntries(Object.entries(value).toSorted(([one], [other]) => (one < other ? -1 : 1)))
      : value,
  )
}

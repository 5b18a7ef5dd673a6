import { accountBody } from '../../flow/vendor/http-bodies.js'
import type { HttpAnswer } from '../../platform/http-call.js'
import { type Check, optionalVerbs, overHttp } from '../check.js'
import type { Ground } from '../ground.js'
import { said } from '../ground.js'
import { type CheckOutcome, failed, ok, skipped, warning } from '../result.js'
import { isLoopback, jsonOf, type Wire, type WireAnswer } from '../wire.js'

const wrongKey = 'bgc-vendor-check-wrong-key'

export const connectionChecks: readonly Check[] = [
  {
    name: 'tls',
    about: 'VENDOR_BASE_URL is https, unless it is on this machine.',
    see: 'the-vendors-side',
    run: overHttp(({ base }) => {
      if (base.protocol === 'https:') return ok()
      if (isLoopback(base)) return ok('http, on this machine')
      return warning('https: orders carry names and phone numbers', 'http')
    }),
  },
  {
    name: 'capabilities',
    about: 'GET /capabilities answers booleans or 404, and what is offered is there.',
    see: 'get-capabilities',
    run: async ({ vendor, adapter }) => {
      const answer = await vendor.capabilities()
      if (answer.kind !== 'ok')
        return failed('{"batch","changes","tripartite"}, each true or false, or 404', said(answer))
      const offered = (['batch', 'changes', 'tripartite'] as const).filter((name) => answer.value[name])
      const lacking = offered.map((name) => optionalVerbs[name]).filter((verb) => typeof adapter[verb] !== 'function')
      if (lacking.length > 0) return failed('a verb for each capability', `the adapter lacks ${lacking.join(', ')}`)
      return ok(offered.length === 0 ? 'nothing optional' : offered.join(', '))
    },
  },
  {
    name: 'wrong-key',
    about: 'A wrong key and no key are answered with 401 or 403.',
    see: 'statuses',
    run: overHttp(async (wire, { data }) => {
      const find = `/orders?background_check_id=${data.newId()}`
      const [body, idempotencyKey] = [accountBody(data.account), data.account.accountId]
      const asked = [
        ['GET /orders with a wrong key', await wire.ask('GET', find, { key: wrongKey })],
        ['GET /orders without a key', await wire.ask('GET', find, { key: null })],
        // An account and no order: little is made if the key is not looked at.
        [
          'POST /accounts with a wrong key',
          await wire.ask('POST', '/accounts', { key: wrongKey, body, idempotencyKey }),
        ],
      ] as const
      const wrong = asked.filter(([, answer]) => !isRefusedKey(answer))
      if (wrong.length === 0) return ok()
      return failed('401 or 403', wrong.map(([call, answer]) => `${call}: ${shown(answer)}`).join('; '))
    }),
  },
  {
    name: 'json',
    about: 'Answers are JSON in UTF-8, say so in Content-Type, and are not compressed.',
    see: 'the-vendors-side',
    run: overWire((answers) => {
      const packed = answers.filter(([, { headers }]) => !['identity', undefined].includes(headers['content-encoding']))
      if (packed.length > 0) return failed('no Content-Encoding, as Accept-Encoding: identity asks', named(packed))
      const good = answers.filter(([, { status }]) => status >= 200 && status < 300)
      const unreadable = good.filter(([, answer]) => jsonOf(answer) === undefined)
      if (unreadable.length > 0) return failed('JSON in UTF-8', `something else from ${named(unreadable)}`)
      const others = good.filter(
        ([, { headers }]) => !/^application\/(\w+\+)?json\b/i.test(headers['content-type'] ?? ''),
      )
      if (others.length > 0) return warning('Content-Type: application/json', `another from ${named(others)}`)
      return ok()
    }),
  },
  {
    name: 'redirects',
    about: 'No answer is a redirect: they are not followed.',
    see: 'statuses',
    run: overWire((answers) => {
      const led = answers.filter(([, { status }]) => status >= 300 && status < 400)
      return led.length === 0 ? ok() : failed('an answer at the documented path', `a redirect from ${named(led)}`)
    }),
  },
  {
    name: 'size',
    about: 'Answers are well below 5 MiB.',
    see: 'the-vendors-side',
    run: overHttp(async (wire, ground) => {
      const all = await askAll(wire, ground)
      const large = all.filter(([, { kind }]) => kind === 'too_large').map(([route]) => route)
      if (large.length > 0) return failed('at most 5 MiB', `more from ${large.join(', ')}`)
      const most = Math.max(0, ...all.map(([, answer]) => (answer.kind === 'answer' ? answer.body.length : 0)))
      const found = `up to ${Math.ceil(most / 1024)} KiB`
      return most > 1024 * 1024 ? warning('far less than 5 MiB from a test system', found) : ok(found)
    }),
  },
  {
    name: 'clock',
    about: 'The clock of the vendor’s system, by its Date header, is within 5 s of this machine’s.',
    see: 'an-order',
    run: overWire((answers) => {
      const [, answer, asked = 0, at = 0] = answers[0] ?? []
      const date = Date.parse(answer?.headers.date ?? '')
      if (Number.isNaN(date)) return skipped('the answer has no Date header')
      // The header counts whole seconds, and is written at some time between the question and the answer.
      const skewMs = Math.max(0, asked - (date + 999), date - at)
      const found = `${(skewMs / 1000).toFixed(1)} s`
      return skewMs > 5000 ? warning('within 5 s: times of stages go by it (NTP)', found) : ok(found)
    }),
  },
]

/** A route, what it answered, and between which times. */
type OnWire<A> = readonly [route: string, answer: A, asked: number, at: number]

function overWire(judge: (answers: ReadonlyArray<OnWire<WireAnswer>>) => CheckOutcome): Check['run'] {
  return overHttp(async (wire, ground) => {
    const all = await askAll(wire, ground)
    const answers = all.flatMap(([route, answer, asked, at]) =>
      answer.kind === 'answer' ? [[route, answer, asked, at] as const] : [],
    )
    return answers.length === 0 ? skipped('nothing answered') : judge(answers)
  })
}

const everything = new WeakMap<Ground, Promise<ReadonlyArray<OnWire<HttpAnswer>>>>()

/** Every question that changes nothing, asked once. */
function askAll(wire: Wire, ground: Ground) {
  const asked = everything.get(ground) ?? askEach(wire, ground)
  everything.set(ground, asked)
  return asked
}

async function askEach(wire: Wire, ground: Ground): Promise<ReadonlyArray<OnWire<HttpAnswer>>> {
  const placed = await ground.order()
  const known = await ground.capabilities()
  const can = known.kind === 'had' ? known.value : { batch: false, changes: false, tripartite: false }
  const id = placed.kind === 'had' ? encodeURIComponent(placed.value.orderId) : null
  const check = placed.kind === 'had' ? placed.value.backgroundCheckId : ground.data.newId()
  const questions: Array<readonly [string, string] | null> = [
    ['GET /capabilities', '/capabilities'],
    ['GET /orders?background_check_id=…', `/orders?background_check_id=${check}`],
    id === null ? null : ['GET /orders/{order_id}', `/orders/${id}`],
    id !== null && can.batch ? ['GET /orders?ids=…', `/orders?ids=${id}`] : null,
    can.changes ? ['GET /orders?changed_after=…', '/orders?changed_after=&limit=100'] : null,
    can.tripartite ? ['GET /tripartite-agreements?changed_after=…', '/tripartite-agreements?changed_after='] : null,
  ]
  const answers: Array<OnWire<HttpAnswer>> = []
  for (const question of questions) {
    if (question === null) continue
    const asked = Date.now()
    const answer = await wire.ask('GET', question[1])
    answers.push([question[0], answer, asked, Date.now()])
  }
  return answers
}

function isRefusedKey(answer: HttpAnswer): boolean {
  return answer.kind === 'answer' && (answer.status === 401 || answer.status === 403)
}

function shown(answer: HttpAnswer): string {
  return answer.kind === 'answer' ? String(answer.status) : answer.message
}

function named(answers: ReadonlyArray<OnWire<WireAnswer>>): string {
  return answers.map(([route]) => route).join(', ')
}

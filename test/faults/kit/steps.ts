import { seededRandom } from '../../../src/sandbox/support/random.js'
import type { Scripts } from './limiter-scripts.js'
import { shuffled } from './plan.js'

export type Role = 'receiver' | 'poller' | 'sync'

/** Where a process can die on the way of a check from its event to its result. */
export interface Step {
  name: string
  /** Whose step it is. */
  by: Role
  /** The way on which it can be seen; `webhook`: what Feishu says to the service, and hears from it. */
  way: 'postgres' | 'redis' | 'feishu' | 'vendor' | 'webhook'
  /** `before`: it never goes out. `after`: it took effect, and nobody hears of it. */
  when: 'before' | 'after'
  /** What it looks like on the way; `said` is all that went there before in the same transaction. */
  isIt(text: string, said: string): boolean
  /** What has to be lost before, so that it is come by. */
  after?: 'tokens lost' | 'Redis emptied'
}

type Looks = Step['isIt']

/** Of a prepared statement only the name goes out, but for the first time on a connection. */
const contains =
  (...words: string[]): Looks =>
  (text) =>
    words.every((word) => text.includes(word))
const either =
  (...words: string[]): Looks =>
  (text) =>
    words.some((word) => text.includes(word))
/** The COMMIT of the transaction in which this was said. */
const commitOf =
  (...words: string[]): Looks =>
  (text, said) =>
    text.includes('COMMIT') && words.every((word) => said.includes(word))

type Steps = Array<Omit<Step, 'by'>>

function both(name: string, way: Step['way'], isIt: Looks, after?: Step['after']): Steps {
  const common = { way, isIt, ...(after && { after }) }
  return [
    { name: `before ${name}`, when: 'before', ...common },
    { name: `after ${name}`, when: 'after', ...common },
  ]
}

/** Every step that leaves a process, in the order in which a check comes by. */
export function namedSteps(scripts: Scripts): Step[] {
  return [
    ...receiverSteps().map((step) => ({ ...step, by: 'receiver' as const })),
    ...pollerSteps().map((step) => ({ ...step, by: 'poller' as const })),
    ...syncSteps(scripts).map((step) => ({ ...step, by: 'sync' as const })),
  ]
}

function receiverSteps(): Steps {
  return [
    ...both('the webhook is read', 'webhook', contains('POST /webhooks/')),
    ...both('the event is accepted', 'postgres', contains('accept-events')),
    ...both('the hint that an event is new', 'redis', contains('{bgc}:inbox', '"key"')),
  ]
}

function pollerSteps(): Steps {
  return [
    ...both('the event is claimed', 'postgres', contains('UPDATE events AS claimed')),
    ...both('its effect makes the order', 'postgres', contains('receive-order')),
    ...both('its effect puts the task', 'postgres', contains('want-placing')),
    ...both('the event is settled', 'postgres', contains('settle-event')),
    ...both('the effect is committed', 'postgres', commitOf('receive-order', 'settle-event')),
    ...both('the task is claimed', 'postgres', contains('UPDATE vendor_tasks AS claimed')),
    ...both('the order is placed at the vendor', 'vendor', contains('POST /orders')),
    ...both('the placing is settled', 'postgres', contains('settle-placed')),
    ...both('the task is done', 'postgres', contains('DELETE FROM vendor_tasks')),
    ...both('the placing is committed', 'postgres', commitOf('settle-placed')),
    ...both('the poll is claimed', 'postgres', contains('UPDATE poll_schedule AS claimed')),
    ...both('the vendor is asked', 'vendor', contains('GET /orders')),
    ...both('deliveries are put', 'postgres', contains('put-deliveries')),
    ...both('deliveries are committed', 'postgres', commitOf('put-deliveries')),
    ...both('the hint that a bucket is due', 'redis', contains('{bgc}:pump', '"key"')),
  ]
}

function syncSteps({ take, rebuild, giveBack }: Scripts): Steps {
  return [
    ...both('the bucket is leased', 'postgres', either('UPDATE buckets b SET lease_owner', 'lease-bucket')),
    ...both('heads are claimed', 'postgres', contains('claim-heads')),
    ...both('the window’s epoch is read', 'postgres', contains('read-epochs')),
    ...both('the token is asked for', 'feishu', contains('POST /open-apis/auth/'), 'tokens lost'),
    ...both('the token is kept', 'postgres', contains('INSERT INTO feishu_tokens', 'expires_at'), 'tokens lost'),
    ...both('a slot is taken', 'redis', contains('evalsha', take)),
    ...both('the epoch is renewed', 'postgres', contains('UPDATE buckets SET epoch'), 'Redis emptied'),
    ...both('the limiter is rebuilt', 'redis', contains(rebuild), 'Redis emptied'),
    ...both('a stage is sent', 'feishu', contains('/update_progress')),
    ...both('the stage is settled', 'postgres', contains('settle-deliveries')),
    ...both('its settlement is committed', 'postgres', commitOf('settle-deliveries')),
    ...both('a slot is given back', 'redis', contains('evalsha', giveBack)),
    ...both('the result is sent', 'feishu', contains('/update_result')),
    ...both('the order is completed', 'postgres', contains('UPDATE orders o SET state')),
    ...both('its end is committed', 'postgres', commitOf('settle-deliveries', 'UPDATE orders o SET state')),
    ...both('the bucket is released', 'postgres', contains('release-bucket')),
  ]
}

/** Of each step either what comes before or what comes after it, as the seed decides. */
export function dealt(steps: readonly Step[], seed: number): Step[] {
  const random = seededRandom(seed)
  const befores = steps.filter(({ when }) => when === 'before')
  const chosen = new Set(befores.map(({ name }) => (random() < 0.5 ? name : name.replace(/^before/, 'after'))))
  return steps.filter(({ name }) => chosen.has(name))
}

/** A few of them, as the seed decides. */
export function handful(steps: readonly Step[], seed: number, count: number): Step[] {
  return shuffled(steps, seededRandom(seed + 1)).slice(0, count)
}

/** Sees one step on the ways of a process, and ends it there. */
export function watchFor(step: Step, end: () => void) {
  const said = new WeakMap<object, string>()
  const awaited = new WeakSet<object>()
  let reached = false
  const reach = () => {
    reached = true
    end()
  }
  return {
    isReached: () => reached,
    watcher: {
      onRequest: (bytes: Buffer, way: object) => {
        if (reached) return false
        const text = bytes.toString('latin1')
        const before = text.includes('BEGIN') ? '' : (said.get(way) ?? '')
        if (step.isIt(text, before)) {
          if (step.when === 'after') awaited.add(way)
          else {
            reach()
            return false
          }
        }
        said.set(way, before + text)
        return true
      },
      onAnswer: (_bytes: Buffer, way: object) => {
        if (reached) return false
        if (!awaited.has(way)) return true
        reach()
        return false
      },
    },
  }
}

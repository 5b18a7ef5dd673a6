import type {
  BoundAccount,
  Capabilities,
  VendorAdapter,
  VendorAnswer,
  VendorFailure,
  VendorOrder,
} from '../flow/vendor/adapter.js'
import { type ConformanceOptions, type HttpVendorToCheck, type Terms, termsOf } from './options.js'
import { type CheckOutcome, failed, type Had, had, missing, skipped } from './result.js'
import { idLike, makeTestData, type TestData } from './test-data.js'
import { type Watch, type Watched, watch } from './watch.js'
import { openFetch, openWire, type Wire } from './wire.js'

export interface PlacedOrder {
  orderId: string
  backgroundCheckId: string
}

/** An order, read twice after everything that was waited for. */
export interface Sample {
  orderId: string
  first: VendorOrder
  second: VendorOrder
}

/**
 * What the checks stand on. What several of them need is made by the first that asks, so that any of them runs alone;
 * what could not be made is each time the same story.
 */
export class Ground {
  readonly terms: Terms
  readonly data: TestData
  readonly watch: Watch
  readonly adapter: VendorAdapter
  /** With the `http` adapter only. */
  readonly wire: Wire | null
  readonly files: Pick<Wire, 'fetch' | 'stop'>
  readonly named: readonly string[]
  /** Checks that an order was asked for, with the order's number where it is known. */
  readonly asked = new Map<string, Set<string>>()
  /** Checks whose placing failed and may have made an order all the same. */
  readonly unsure = new Set<string>()
  /** Orders that were canceled by a check already. */
  readonly canceled = new Set<string>()
  readonly #made = new Map<string, Promise<Had<unknown>>>()

  constructor(adapter: VendorAdapter, http: HttpVendorToCheck | null, options: ConformanceOptions) {
    const { proxy = {} } = options
    const secrets = [...(options.secrets ?? []), ...(http === null ? [] : [http.apiKey])]
    this.terms = termsOf(options)
    this.data = makeTestData(options)
    this.adapter = adapter
    this.watch = watch(adapter, this.terms, (text) => withoutSecrets(text, secrets))
    this.wire = http === null ? null : openWire(http, proxy, this.terms)
    this.files = this.wire ?? openFetch(proxy, this.terms)
    this.named = options.orderIds ?? []
  }

  get vendor(): Watched {
    return this.watch.vendor
  }

  /** What `capabilities` says, once. */
  capabilities(): Promise<Had<Capabilities>> {
    return this.once('capabilities', async () => need(await this.vendor.capabilities(), 'capabilities'))
  }

  bound(): Promise<Had<BoundAccount>> {
    return this.once('bound', async () => need(await this.vendor.bindAccount(this.data.account), 'bind-account'))
  }

  /** The order that most checks look at. */
  order(): Promise<Had<PlacedOrder>> {
    return this.once('order', async () => {
      await this.bound()
      return need(await this.place(this.data.order()), 'place-order')
    })
  }

  /** Another one: feeds need more than one to show what they do. */
  other(): Promise<Had<PlacedOrder>> {
    return this.once('other', async () => {
      await this.order()
      return need(await this.place(this.data.order()), 'place-order')
    })
  }

  /** An id of the vendor's kind that it has no order for. */
  unknownId(): Promise<Had<string>> {
    return this.once('unknownId', async () => {
      const placed = await this.order()
      if (placed.kind === 'missing') return placed
      for (let tries = 0; tries < 3; tries += 1) {
        const id = idLike(placed.value.orderId)
        const answer = await this.vendor.getOrder(id)
        if (answer.kind === 'ok' && answer.value === null) return had(id)
      }
      return missing(skipped('no id was found that getOrder does not know; see get-order-unknown'))
    })
  }

  samples(): Promise<Had<Sample[]>> {
    return this.once('samples', async () => {
      const placed = await this.order()
      const ids = [...(placed.kind === 'had' ? [placed.value.orderId] : []), ...this.named]
      const samples: Sample[] = []
      for (const orderId of ids) {
        const first = await this.vendor.getOrder(orderId)
        const second = await this.vendor.getOrder(orderId)
        if (first.kind !== 'ok' || second.kind !== 'ok' || first.value === null || second.value === null) continue
        samples.push({ orderId, first: first.value, second: second.value })
      }
      return samples.length > 0 ? had(samples) : missing(skipped('no order could be read; see get-order, read-again'))
    })
  }

  /** Places an order and remembers it for the end. */
  async place(order: ReturnType<TestData['order']>): Promise<VendorAnswer<PlacedOrder>> {
    const { backgroundCheckId } = order
    const known = this.asked.get(backgroundCheckId) ?? new Set()
    this.asked.set(backgroundCheckId, known)
    const answer = await this.vendor.placeOrder(order)
    if (answer.kind === 'retry' && answer.ambiguous) this.unsure.add(backgroundCheckId)
    if (answer.kind !== 'ok') return answer
    known.add(answer.value.orderId)
    return { kind: 'ok', value: { orderId: answer.value.orderId, backgroundCheckId } }
  }

  once<T>(name: string, make: () => Promise<Had<T>>): Promise<Had<T>> {
    const made = this.#made.get(name) ?? make()
    this.#made.set(name, made)
    // One name, one maker: what lies under it is what this maker makes.
    return made as Promise<Had<T>>
  }
}

function need<T>(answer: VendorAnswer<T>, check: string): Had<T> {
  if (answer.kind === 'ok') return had(answer.value)
  return missing(skipped(`${check} comes first: ${said(answer)}`), answer)
}

/** A failure in words. */
export function said({ kind, message }: VendorFailure): string {
  return `${kind}: ${message}`
}

export function refused(expected: string, failure: VendorFailure): CheckOutcome {
  return failed(expected, said(failure))
}

function withoutSecrets(text: string, secrets: readonly string[]): string {
  return secrets.filter((secret) => secret.length >= 4).reduce((clean, secret) => clean.replaceAll(secret, '***'), text)
}

/**
 * Stops calls to a vendor that fails every time: `closed` lets all through, `open` none, `half_open` one at a time to
 * see. Whoever admits a call reports how it went; what is reported while open belongs to calls from before.
 */
export interface Breaker {
  state(): BreakerState
  admit(): Admission
  /** What `admit` would answer, without admitting anything. */
  peek(): Admission
  /** An open circuit waits no longer for its next probe. */
  probeSoon(): void
  succeeded(): void
  failed(kind: BreakerFailure, message?: string): void
  /** For operators. `since` is when this state began; `openings` how often it opened since it was closed last. */
  look(): { state: BreakerState; since: number; openings: number; lastError?: string }
}

export type BreakerState = 'closed' | 'open' | 'half_open'
type BreakerFailure = 'retry' | 'misconfigured'
export type Admission = { admitted: true } | { admitted: false; retryInMs: number }

export interface BreakerSettings {
  /** Failures one after another. A wrong configuration opens at once. */
  failuresToOpen: number
  /** How long it stays open the first time; each time after that twice as long. */
  openMs: number
  maxOpenMs: number
  /** A probe that has not reported by then is no longer waited for; more than a call can take. */
  probeMs?: number
  now: () => number
  /** 0 to 1. */
  random: () => number
}

type Circuit =
  | { state: 'closed'; since: number; failures: number }
  | { state: 'open'; since: number; until: number; openings: number }
  | { state: 'half_open'; since: number; probeUntil: number; openings: number }

type Rules = Pick<BreakerSettings, 'failuresToOpen' | 'openMs' | 'maxOpenMs'> & { probeMs: number }

const A_MINUTE = 60_000

export function createBreaker(settings: BreakerSettings): Breaker {
  const rules = { ...settings, probeMs: settings.probeMs ?? A_MINUTE }
  const { now, random } = settings
  let circuit: Circuit = closed(now())
  let lastError: string | undefined
  const admitOne = (): Admission => {
    const { next, admission } = admit(circuit, rules, now())
    circuit = next
    return admission
  }
  return {
    state: () => stateAt(circuit, now()).state,
    admit: admitOne,
    peek: () => admit(circuit, rules, now()).admission,
    probeSoon: () => {
      if (circuit.state === 'open') circuit = { ...circuit, until: Math.min(circuit.until, now()) }
    },
    succeeded: () => {
      circuit = afterSuccess(circuit, now())
    },
    failed: (kind, message) => {
      // What comes in while open is about calls from before and would hide why it opened.
      if (circuit.state !== 'open') lastError = message ?? lastError
      circuit = afterFailure(circuit, kind, rules, { at: now(), random: random() })
    },
    look: () => ({
      ...stateAt(circuit, now()),
      openings: circuit.state === 'closed' ? 0 : circuit.openings,
      ...(lastError === undefined ? {} : { lastError }),
    }),
  }
}

function closed(at: number): Circuit {
  return { state: 'closed', since: at, failures: 0 }
}

/** An open circuit whose time is over waits for its probe. */
function stateAt(circuit: Circuit, at: number): { state: BreakerState; since: number } {
  const over = circuit.state === 'open' && at >= circuit.until
  return over ? { state: 'half_open', since: circuit.until } : { state: circuit.state, since: circuit.since }
}

function admit(circuit: Circuit, rules: Rules, at: number): { next: Circuit; admission: Admission } {
  if (circuit.state === 'closed') return { next: circuit, admission: { admitted: true } }
  const notBefore = circuit.state === 'open' ? circuit.until : circuit.probeUntil
  if (at < notBefore) return { next: circuit, admission: { admitted: false, retryInMs: notBefore - at } }
  const { since } = stateAt(circuit, at)
  const next: Circuit = { state: 'half_open', since, probeUntil: at + rules.probeMs, openings: circuit.openings }
  return { next, admission: { admitted: true } }
}

function afterSuccess(circuit: Circuit, at: number): Circuit {
  if (circuit.state === 'open') return circuit
  return circuit.state === 'closed' ? { ...circuit, failures: 0 } : closed(at)
}

function afterFailure(
  circuit: Circuit,
  kind: BreakerFailure,
  rules: Rules,
  { at, random }: { at: number; random: number },
): Circuit {
  if (circuit.state === 'open') return circuit
  const failures = circuit.state === 'closed' ? circuit.failures + 1 : rules.failuresToOpen
  if (circuit.state === 'closed' && failures < rules.failuresToOpen && kind === 'retry') return { ...circuit, failures }
  const openings = circuit.state === 'closed' ? 1 : circuit.openings + 1
  return { state: 'open', since: at, until: at + openFor(openings, rules, random), openings }
}

/** Between half and all of `openMs` doubled with each opening, so that processes do not probe together. */
function openFor(openings: number, { openMs, maxOpenMs }: Rules, random: number): number {
  const longest = Math.min(openMs * 2 ** (openings - 1), maxOpenMs)
  return Math.ceil(longest / 2 + (random * longest) / 2)
}

/** How much of the past is looked at, and how finely. Lengths in ms; `ranked` and `drawn` are steps of GET /v1/quotas. */
export const spans = {
  '1h': { ms: 3_600_000, ranked: 'hour', drawn: 'minute', told: 'minute', everySeconds: 5 },
  '6h': { ms: 21_600_000, ranked: 'hour', drawn: 'minute', told: 'hour', everySeconds: 30 },
  '24h': { ms: 86_400_000, ranked: 'hour', drawn: 'minute', told: 'hour', everySeconds: 60 },
  '7d': { ms: 604_800_000, ranked: 'day', drawn: 'hour', told: 'day', everySeconds: 300 },
  '35d': { ms: 3_024_000_000, ranked: 'day', drawn: 'hour', told: 'day', everySeconds: 600 },
} as const

export type SpanName = keyof typeof spans
export const spanNames = ['1h', '6h', '24h', '7d', '35d'] as const satisfies SpanName[]

export function spanOf(name: string | null): SpanName {
  return spanNames.find((each) => each === name) ?? '1h'
}

export const stepMs = { minute: 60_000, hour: 3_600_000 } as const

/** Steps of `drawn` that cover a span. A minute that is not over would look like a fall: the one before is the last. */
export function gridOf(name: SpanName, now: number): { from: number; step: number; count: number } {
  const step = stepMs[spans[name].drawn]
  const count = spans[name].ms / step
  const last = Math.floor(now / step) - (step === stepMs.minute ? 1 : 0)
  return { from: (last - count + 1) * step, step, count }
}

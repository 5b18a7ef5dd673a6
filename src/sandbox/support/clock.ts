/** Milliseconds since the epoch with fractions, never going backwards: windows of rate limits are measured with it. */
export function now(): number {
  return performance.timeOrigin + performance.now()
}

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

import { onTestFinished, vi } from 'vitest'

/** Until the test ends, a timeout comes when the test says so (in ms), and not because a machine is slow. */
export function holdTimeouts(): (ms: number) => void {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  onTestFinished(() => void vi.useRealTimers())
  return (ms) => vi.advanceTimersByTime(ms)
}

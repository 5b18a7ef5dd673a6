import type { Started } from '../lifetime.js'

/** What a hint can be about: `inbox` new events, `vendor` tasks due, `poll` orders due, `pump` deliveries of a bucket. */
export const topics = ['inbox', 'vendor', 'poll', 'pump'] as const
export type Topic = (typeof topics)[number]

/**
 * A hint says that a row is due before a scan by the clock would find it. Rows are the truth: a hint carries ids and
 * nothing personal, may be lost, doubled or late, and sending one neither waits nor fails.
 */
export interface Hints extends Started {
  send(topic: Topic, key?: string): void
  listen(topic: Topic, wake: (key: string) => void): void
}

/** Hints inside one process. */
export function createLocalHints(): Hints {
  const listeners = new Map<Topic, (key: string) => void>()
  return {
    send: (topic, key = '') => {
      const wake = listeners.get(topic)
      if (wake) setImmediate(wake, key)
    },
    listen: (topic, wake) => {
      listeners.set(topic, wake)
    },
    stop: async () => listeners.clear(),
  }
}

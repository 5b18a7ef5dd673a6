/** A page of a feed, or why there is none. */
export type FeedPage<T> =
  | { kind: 'page'; items: T[]; cursor: string; hasMore: boolean }
  | { kind: 'gone' }
  | { kind: 'malformed'; reason: string }

/** Opaque cursors over things that have a growing number; when they are forgotten, readers have to start over. */
export class Feed {
  #epoch = 1

  /** Cursors given so far answer 410 from now on. */
  forget(): void {
    this.#epoch++
  }

  read<T>(all: readonly T[], numberOf: (item: T) => number, cursor: string, limit: number): FeedPage<T> {
    const after = this.#position(cursor)
    if (typeof after !== 'number') return after
    const later = all.filter((item) => numberOf(item) > after).sort((a, b) => numberOf(a) - numberOf(b))
    const items = later.slice(0, limit)
    const last = items.at(-1)
    return { kind: 'page', items, cursor: this.#cursor(last ? numberOf(last) : after), hasMore: later.length > limit }
  }

  #cursor(position: number): string {
    return Buffer.from(`${this.#epoch}.${position}`).toString('base64url')
  }

  #position(cursor: string): number | Exclude<FeedPage<never>, { kind: 'page' }> {
    if (cursor === '') return 0
    const [, epoch, position] = /^(\d+)\.(\d+)$/.exec(Buffer.from(cursor, 'base64url').toString('utf8')) ?? []
    if (position === undefined)
      return { kind: 'malformed', reason: `changed_after: expected a cursor of ours; it came as ${cursor}` }
    return Number(epoch) === this.#epoch ? Number(position) : { kind: 'gone' }
  }
}

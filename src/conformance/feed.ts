import type { UnreadableEntry, VendorAnswer, VendorFailure } from '../flow/vendor/adapter.js'
import { type Ground, said } from './ground.js'
import { type CheckOutcome, failed, ok, warning } from './result.js'
import { newCursor } from './test-data.js'

/** A page of either feed: which things changed, by what tells one change from another. */
export interface FeedPage {
  expired: boolean
  ids: readonly string[]
  unreadable: readonly UnreadableEntry[]
  cursor: string
  hasMore: boolean
}

export type ReadFeed = (cursor: string | null) => Promise<VendorAnswer<FeedPage>>

export type Walked =
  | { kind: 'end'; cursor: string; ids: ReadonlySet<string>; pages: number }
  | { kind: 'broken'; expected: string; got: string }

const mostPages = 1000
/** A feed that never ends names nothing new any more. */
const mostEmptyPages = 10

/** Follows a feed from its beginning to its end. */
export async function walk(read: ReadFeed): Promise<Walked> {
  const ids = new Set<string>()
  const cursors = new Set<string>()
  let cursor: string | null = null
  let idle = 0
  for (let pages = 1; pages <= mostPages; pages += 1) {
    const answer: VendorAnswer<FeedPage> = await read(cursor)
    if (answer.kind !== 'ok') return brokenBy(answer)
    const { value } = answer
    if (value.expired) return { kind: 'broken', expected: 'a page for a cursor just given', got: '410, or expired' }
    const before = ids.size
    for (const id of value.ids) ids.add(id)
    if (!value.hasMore) return { kind: 'end', cursor: value.cursor, ids, pages }
    if (cursors.has(value.cursor) || value.cursor === '') {
      return { kind: 'broken', expected: 'a new cursor with has_more true', got: 'one that was given before, or none' }
    }
    cursors.add(value.cursor)
    idle = ids.size === before ? idle + 1 : 0
    const expected = 'has_more false at the end'
    if (idle >= mostEmptyPages)
      return { kind: 'broken', expected, got: `${idle} pages with nothing new, and has_more true` }
    cursor = value.cursor
  }
  return { kind: 'broken', expected: `an end within ${mostPages} pages`, got: 'has_more true in each of them' }
}

function brokenBy(failure: VendorFailure): Walked {
  return { kind: 'broken', expected: 'a page', got: said(failure) }
}

/** The first page, and whether what it names can be read. */
export async function judgeFirst(read: ReadFeed): Promise<CheckOutcome> {
  const answer = await read(null)
  const expected = 'a page for an empty cursor'
  if (answer.kind !== 'ok') return failed(expected, said(answer))
  const { expired, unreadable, ids } = answer.value
  if (expired) return failed(expected, '410, or expired')
  const [first] = unreadable
  if (first !== undefined)
    return warning(
      'entries in their documented form',
      `${unreadable.length} of ${unreadable.length + ids.length} are passed over: ${first.complaint}`,
    )
  return ok()
}

/** Whether a cursor stands for what was read: the feed goes on behind it and does not begin anew. */
export async function judgeCursors(read: ReadFeed, { terms }: Ground): Promise<CheckOutcome> {
  const walked = await walk(read)
  if (walked.kind === 'broken') return failed(walked.expected, walked.got)
  let { cursor } = walked
  // Everything may truly have changed meanwhile, but not every time.
  for (let tries = 0; tries < 3; tries += 1) {
    const answer = await read(cursor)
    if (answer.kind !== 'ok') return failed('a page behind the last cursor', said(answer))
    if (answer.value.expired) return failed('a page behind the last cursor', '410, or expired')
    const isAnew = walked.ids.size > 1 && answer.value.ids.length >= walked.ids.size
    if (!isAnew) return ok(`${walked.ids.size} in ${walked.pages} ${walked.pages === 1 ? 'page' : 'pages'}`)
    cursor = answer.value.cursor
    await terms.pause(200)
  }
  return failed(
    'nothing behind the last cursor that was before it',
    'everything once more: the cursor is not looked at',
  )
}

/** What a cursor does that is not known (any more). */
export async function judgeUnknownCursor(read: ReadFeed): Promise<CheckOutcome> {
  const answer = await read(newCursor())
  const expected = '410, or another refusal (400, 422)'
  if (answer.kind === 'final') return ok(`refused${answer.status === undefined ? '' : ` with ${answer.status}`}`)
  if (answer.kind !== 'ok') return failed(expected, said(answer))
  if (answer.value.expired) return ok('410')
  if (answer.value.ids.length > 0) return warning(expected, 'the feed from its beginning')
  return failed(expected, 'an empty page: what changed meanwhile is lost')
}

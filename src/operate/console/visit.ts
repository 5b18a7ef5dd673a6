import type { Ask } from '../api/ask.js'
import type { Figures } from '../figures.js'
import type { Language, TextName, Translate } from './languages.js'
import type { Session } from './session.js'

/** One request of somebody who is signed in, as pages see it. */
export interface Visit {
  session: Session
  language: Language
  t: Translate
  /** Of the page, without the query. */
  path: string
  query: URLSearchParams
  /** Where a refusal leads to: the page that a form belongs to, or what lies above a page that shows nothing. */
  back: string
  /** Whether somebody set up the bot that alerts go to. */
  hasBot: boolean
  timeZone: string
  /** Asks what /v1 asks, with the scopes of the session's key. */
  ask: Ask
  /** What waits and what is stuck, as /metrics counts it. */
  figures: (name: string, label?: string) => Promise<Figures>
}

/** What a list is asked with: the page's query without what is about the page itself. */
export function listQuery({ query }: Pick<Visit, 'query'>): URLSearchParams {
  return new URLSearchParams([...query].filter(([name]) => name !== 'done'))
}

/** The address of the page itself. */
export function hereOf({ path, query }: Pick<Visit, 'path' | 'query'>): string {
  return query.size === 0 ? path : `${path}?${query.toString()}`
}

/** Pages of the menu, in its order. */
export const menu = [
  { path: '/console', name: 'overview' },
  { path: '/console/orders', name: 'orders' },
  { path: '/console/deliveries', name: 'deliveries' },
  { path: '/console/events', name: 'events' },
  { path: '/console/accounts', name: 'accounts' },
  { path: '/console/queues', name: 'queues' },
  { path: '/console/quotas', name: 'quotas' },
  { path: '/console/findings', name: 'findings' },
  { path: '/console/audit', name: 'audit' },
] as const satisfies ReadonlyArray<{ path: string; name: TextName }>

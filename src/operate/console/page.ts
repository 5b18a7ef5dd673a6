import type { Visit } from './visit.js'

/** What a page answers: a document, or where to go. */
export type Shown = { kind: 'html'; status: number; html: string } | { kind: 'go'; to: string }

export interface Page {
  /** As Express writes it, below /console. */
  path: string
  show: (visit: Visit, params: Readonly<Record<string, string>>) => Promise<Shown>
}

/** What a button does: nothing that /v1 cannot do, too. */
export interface Action {
  path: string
  /** The page that it belongs to; the path without its last part when left out. */
  of?: string
  run: (visit: Visit, params: Readonly<Record<string, string>>, form: Partial<Record<string, string>>) => Promise<Shown>
}

export const html = (text: string, status = 200): Shown => ({ kind: 'html', status, html: text })
export const go = (to: string): Shown => ({ kind: 'go', to })

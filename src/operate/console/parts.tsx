import type { ComponentChildren } from 'preact'
import type { TextName } from './languages.js'
import { localTime } from './local-time.js'
import { hereOf, type Visit } from './visit.js'

/** What several pages show. */

export function Time({ visit, at }: { visit: Visit; at: string | null | undefined }) {
  if (at === null || at === undefined) return <>–</>
  return (
    <time dateTime={at} title={at}>
      {localTime(visit.timeZone, 'second').format(new Date(at))}
    </time>
  )
}

/** How long something took or takes, in the largest unit that says enough. */
export function duration({ t }: Visit, ms: number): string {
  const seconds = Math.round(ms / 1000)
  if (seconds < 90) return t('seconds', { n: seconds })
  if (seconds < 5400) return t('minutes', { n: Math.round(seconds / 60) })
  return seconds < 172_800
    ? t('hours', { n: Math.round(seconds / 3600) })
    : t('days', { n: Math.round(seconds / 86_400) })
}

export interface Column<Row> {
  head: string
  cell: (row: Row) => ComponentChildren
  number?: true
}

interface ListOptions<Row> {
  visit: Visit
  columns: ReadonlyArray<Column<Row>>
  rows: readonly Row[]
  /** Names a row, so that it stays itself when others come in above it; what somebody is at stays under the hand. */
  idOf?: (row: Row) => string
}

/** A list; on a narrow screen each row becomes a block with the heads beside its cells. */
export function List<Row>(props: ListOptions<Row>) {
  const { visit, columns, rows, idOf } = props
  if (rows.length === 0) return <p class="empty">{visit.t('none')}</p>
  return (
    <table class="stack">
      <thead>
        <tr>
          {columns.map(({ head, number }) => (
            <th key={head} scope="col" class={number && 'number'}>
              {head}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {rows.map((row) => (
          <tr id={idOf && `row-${idOf(row)}`}>
            {columns.map(({ head, cell, number }) => (
              <td key={head} data-label={head} class={number && 'number'}>
                <div>{cell(row)}</div>
              </td>
            ))}
          </tr>
        ))}
      </tbody>
    </table>
  )
}

export function Pager({ visit, next }: { visit: Visit; next: string | null }) {
  const older = new URLSearchParams(visit.query)
  const newest = new URLSearchParams(visit.query)
  newest.delete('cursor')
  if (next !== null) older.set('cursor', next)
  return (
    <nav class="pager" aria-label={visit.t('older')}>
      {visit.query.has('cursor') && <a href={`${visit.path}?${newest.toString()}`}>{visit.t('newest')}</a>}
      {next !== null && (
        <a href={`${visit.path}?${older.toString()}`} rel="next">
          {visit.t('older')}
        </a>
      )}
    </nav>
  )
}

interface LiveOptions {
  visit: Visit
  id: string
  /** 5 s when left out. */
  everySeconds?: number
  children: ComponentChildren
}

/** A part of the page that is fetched again, from the same address, while somebody looks (assets/console.js). */
export function Live({ visit, id, everySeconds = 5, children }: LiveOptions) {
  return (
    <div
      id={id}
      data-live={everySeconds}
      hx-get={hereOf(visit)}
      hx-select={`#${id}`}
      hx-trigger="refresh"
      hx-swap="outerMorph"
    >
      {children}
    </div>
  )
}

export interface ButtonOptions {
  visit: Visit
  action: string
  label: string
  /** Asked before it is done, where the browser runs scripts. */
  confirm?: string
  look?: 'plain' | 'grave'
  fields?: Readonly<Record<string, string>>
  children?: ComponentChildren
}

/** A form of one button. */
export function Button({ visit, action, label, confirm, look, fields = {}, children }: ButtonOptions) {
  return (
    <form method="post" action={action} {...(confirm !== undefined && { 'data-confirm': confirm })}>
      <input type="hidden" name="csrf" value={visit.session.csrf} />
      {Object.entries(fields).map(([name, value]) => (
        <input key={name} type="hidden" name={name} value={value} />
      ))}
      {children}
      <button type="submit" class={look}>
        {label}
      </button>
    </form>
  )
}

export interface Choice {
  name: string
  label: TextName
  /** Without them it is a field to type into. */
  values?: readonly string[]
  show?: (value: string) => string
  /** The first value is meant when there is none; else none stands for any. */
  hasDefault?: true
}

/** Filters of a list, as its query: they work as links do. */
export function Filters({ visit, choices }: { visit: Visit; choices: readonly Choice[] }) {
  return (
    <form class="filters" method="get" action={visit.path}>
      {choices.map(({ name, label, values, show = String, hasDefault }) => (
        <div key={name}>
          <label for={`filter-${name}`}>{visit.t(label)}</label>
          {values === undefined ? (
            <input id={`filter-${name}`} name={name} type="search" value={visit.query.get(name) ?? ''} />
          ) : (
            <select id={`filter-${name}`} name={name}>
              {!hasDefault && <option value="">{visit.t('any')}</option>}
              {values.map((value) => (
                <option key={value} value={value} selected={visit.query.get(name) === value}>
                  {show(value)}
                </option>
              ))}
            </select>
          )}
        </div>
      ))}
      <div>
        <button type="submit">{visit.t('filter')}</button>
      </div>
    </form>
  )
}

export function Facts({ rows }: { rows: ReadonlyArray<readonly [string, ComponentChildren]> }) {
  return (
    <dl class="facts">
      {rows.map(([name, value]) => (
        <>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </>
      ))}
    </dl>
  )
}

export function Json({ value }: { value: unknown }) {
  return <pre>{JSON.stringify(value, null, 2)}</pre>
}

export function Id({ children, href }: { children: string; href?: string }) {
  return href === undefined ? (
    <span class="id">{children}</span>
  ) : (
    <a class="id" href={href}>
      {children}
    </a>
  )
}

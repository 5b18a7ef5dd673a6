import { z } from 'zod'
import type { failure } from '../api/shapes.js'
import { said } from './said.js'
import type { Visit } from './visit.js'
import { flagWords, stateWord, wordsOf } from './words.js'

/** What the API names by a word, for people: their words where there are any, and the name, which logs and docs have. */

const tones: Readonly<Record<string, 'good' | 'warn' | 'bad'>> = {
  completed: 'good',
  confirmed: 'good',
  delivered: 'good',
  done: 'good',
  in_step: 'good',
  repaired: 'good',
  failed: 'bad',
  dead: 'bad',
  refused: 'bad',
  unbound: 'warn',
  unconfirmed: 'warn',
  unreadable: 'warn',
  waiting: 'warn',
  open: 'warn',
}

export function State({ visit, name }: { visit: Visit; name: string }) {
  return (
    <span class={`state ${tones[name] ?? ''}`.trim()}>
      <Named visit={visit} name={name} />
    </span>
  )
}

export function Named({ visit, name }: { visit: Visit; name: string }) {
  const word = stateWord(name, visit.language)
  if (word === undefined) return <>{name}</>
  return (
    <>
      {word} <small>{name}</small>
    </>
  )
}

export function namedIn(visit: Visit): (name: string) => string {
  return (name) => {
    const word = stateWord(name, visit.language)
    return word === undefined ? name : `${word} ${name}`
  }
}

/** Flags of an order, each with what it means. */
export function Flags({ visit, names }: { visit: Visit; names: readonly string[] }) {
  return (
    <ul class="flags">
      {names.map((name) => (
        <li key={name}>
          <code>{name}</code> {wordsOf(flagWords, name, visit.language)}
        </li>
      ))}
    </ul>
  )
}

type Failure = z.output<typeof failure>

const lastError = z.object({
  code: z.number().nullish(),
  http_status: z.number().nullish(),
  log_id: z.string().nullish(),
  reason: z.string().nullish(),
})

/** How the last attempt ended, on one line: codes and this service's own words for them. */
export function LastError({ visit, value }: { visit: Visit; value: unknown }) {
  const read = lastError.safeParse(value)
  if (!read.success) return <>–</>
  const { code, http_status: status, log_id: logId, reason } = read.data
  const codes = [
    ...(status ? [`HTTP ${status}`] : []),
    ...(code ? [`code ${code}`] : []),
    ...(logId ? [`log_id ${logId}`] : []),
  ]
  return (
    <>
      {said(reason ?? '', visit.language)} <span class="id faint">{codes.join(' · ')}</span>
    </>
  )
}

/** Why an order, an account or a catalog failed, and what somebody can do: a sentence each. */
export function Failed({ visit, failure }: { visit: Visit; failure: Failure }) {
  const { t, language } = visit
  const message = said(failure.message, language)
  const action = said(failure.action, language)
  return (
    <p class="complaint">
      <strong>{t('classSays', { name: namedIn(visit)(failure.class) })}</strong>
      {t('failureSays', { message, action })}
    </p>
  )
}

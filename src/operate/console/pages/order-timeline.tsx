import type { z } from 'zod'
import type { wholeOrder } from '../../api/order-shape.js'
import { duration, Time } from '../parts.js'
import type { Visit } from '../visit.js'
import { timelineWords, wordsOf } from '../words.js'

interface Props {
  visit: Visit
  order: Pick<z.output<typeof wholeOrder>, 'timeline' | 'archived_at'>
}

/** From the event to Feishu's answers, oldest first, with the time that lay between. */
export function Timeline({ visit, order: shown }: Props) {
  return (
    <ol class="timeline">
      {shown.timeline.map(({ at, kind, detail }, index) => (
        <li key={`${index} ${kind}`} class={toneOf(kind)}>
          <p>
            <Time visit={visit} at={at} /> <Since visit={visit} at={at} before={shown.timeline[index - 1]?.at} />
          </p>
          <p>
            <strong>{wordsOf(timelineWords, kind, visit.language) ?? kind}</strong> <code class="faint">{kind}</code>
          </p>
          <Detail value={detail} links={shown.archived_at === undefined} />
        </li>
      ))}
    </ol>
  )
}

function Since({ visit, at, before }: { visit: Visit; at: string; before: string | undefined }) {
  const ms = before === undefined ? 0 : Date.parse(at) - Date.parse(before)
  return ms < 1000 ? null : <span class="faint">+{duration(visit, ms)}</span>
}

function toneOf(kind: string): string {
  if (kind === 'delivered' || kind === 'approved' || kind === 'found_in_feishu') return 'good'
  return /refused|given_up|dead|foreign|unknown|missing/.test(kind) ? 'bad' : ''
}

function Detail({ value, links }: { value: unknown; links: boolean }) {
  const entries = typeof value === 'object' && value !== null ? Object.entries(value) : []
  if (entries.length === 0) return null
  return (
    <p class="id faint">
      {entries.map(([name, each], index) => (
        <span key={name}>
          {index > 0 && ' · '}
          {name}:{' '}
          {links && name === 'delivery_id' ? (
            <a href={`/console/deliveries/${String(each)}`}>{String(each)}</a>
          ) : (
            String(each)
          )}
        </span>
      ))}
    </p>
  )
}

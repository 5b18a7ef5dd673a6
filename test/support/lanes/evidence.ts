import type { CallRecord } from '../../../src/sandbox/index.js'
import type { Ground } from '../room.js'
import type { Lived } from './world.js'

/** What became of the lanes that broken promises name: their deliveries, the calls for their orders, and the log. */
export async function evidenceOf(ground: Ground, lived: Lived, broken: readonly string[]): Promise<string[]> {
  const named = lived.lanes.filter(({ id }) => broken.some((each) => each.includes(id)))
  const shown = await Promise.all(
    named.map(async ({ id, revived, canceledInFeishu, plan }) => {
      const { status, stages, result } = lived.feishu.order(id)
      const inFeishu = {
        status,
        stages: stages.map(({ stageId, time }) => `${stageId}@${time}`),
        result: Boolean(result),
      }
      return [
        `${id}: ${JSON.stringify({ inFeishu, canceledInFeishu, revived: [...revived], refusal: plan.refusal })}`,
        ...(await deliveriesOf(ground, id)),
        ...lived.feishu.calls({ backgroundCheckId: id }).map(callInWords),
        ...ground.lines.filter((line) => line.includes(id)).map((line) => `  ${line.trim()}`),
      ]
    }),
  )
  const { switches, retryMaxAgeMs, timeoutMs, windows } = lived.plan
  const world = JSON.stringify({
    switches,
    retryMaxAgeMs,
    timeoutMs,
    windows,
    crashedAt: lived.crashedAt.map(shortTime),
  })
  return broken.length === 0 ? [] : [world, ...shown.flat()]
}

async function deliveriesOf({ database }: Ground, id: string): Promise<string[]> {
  const { rows } = await database.pool.query<{ delivery: object }>(
    `SELECT to_json(d) AS delivery FROM (
       SELECT seq, id, api, stage_id AS stage, stage_time AS at, state, confirmed, attempts, ambiguous, dead_class AS class,
         last_error FROM deliveries WHERE lane = $1 ORDER BY seq) d`,
    [`order:${id}`],
  )
  return rows.map(({ delivery }) => `  ${JSON.stringify(delivery)}`)
}

function callInWords({ seq, at, endedAt, api, body, httpStatus, code, applied, answered, fault }: CallRecord): string {
  const stage = typeof body === 'object' && body !== null && 'stage_id' in body ? ` ${String(body.stage_id)}` : ''
  const time = typeof body === 'object' && body !== null && 'stage_time' in body ? `@${String(body.stage_time)}` : ''
  const took = endedAt === undefined ? 'open' : `${Math.round(endedAt - at)} ms`
  const answer = `${httpStatus}/${code}${applied ? ' applied' : ''}${answered ? '' : ' unanswered'}`
  return `  call ${seq} at ${shortTime(at)} (${took}): ${api}${stage}${time} -> ${answer}${fault ? ` [${fault}]` : ''}`
}

/** Milliseconds of the last few minutes. */
function shortTime(at: number): number {
  return Math.round(at % 1_000_000)
}

import type { CallRecord } from '../../../src/sandbox/index.js'
import type { Customers } from './customers.js'
import type { LivedFault } from './live-one.js'
import { nameOf } from './oracle.js'
import type { World } from './world.js'

const mostChecks = 3
const mostLines = 60

/** What became of the first checks that broken promises name: the faults, their calls, their rows, the log. */
export async function storyOf(
  world: World,
  { checks }: Customers,
  lived: readonly LivedFault[],
  broken: readonly string[],
): Promise<string[]> {
  const start = Math.min(...lived.map(({ from }) => from), ...world.feishu.calls().map(({ at }) => at))
  const named = checks.filter(({ id }) => broken.some((each) => each.includes(id))).slice(0, mostChecks)
  const lines = [`faults (ms from the first of them or the first call): ${JSON.stringify(world.plan.switches)}`]
  for (const { name, from, to, bites } of lived)
    lines.push(`  ${from - start}–${to - start} ${name} (felt ${bites} times)`)
  for (const { id, plan, canceledInFeishu } of named) {
    const { status, stages } = world.feishu.order(id)
    lines.push(
      `${id}: ${JSON.stringify({ plan, canceledInFeishu, status, stages: stages.map((stage) => stage.stageId) })}`,
      ...world.feishu.calls({ backgroundCheckId: id }).map((call) => callInWords(call, start)),
      ...(await rowsOf(world, id)),
      ...logOf(world, id),
    )
  }
  return lines
}

function callInWords(call: CallRecord, start: number): string {
  const { seq, at, httpStatus, code, applied, answered } = call
  const answer = `${httpStatus}/${code}${applied ? ' applied' : ''}${answered ? '' : ' unanswered'}`
  return `  call ${seq} at ${Math.round(at - start)}: ${nameOf(call)} -> ${answer}`
}

async function rowsOf(world: World, id: string): Promise<string[]> {
  const rows = await world
    .read<{ row: object }>(
      `SELECT to_json(d) AS row FROM (SELECT seq, id, api, stage_id, stage_time, state, confirmed, attempts, ambiguous,
       dead_class, last_error, due_at FROM deliveries WHERE background_check_id = '${id}' ORDER BY seq) d
     UNION ALL SELECT to_json(o) FROM (SELECT state, attention, failure, vendor_order_id FROM orders
       WHERE background_check_id = '${id}') o
     UNION ALL SELECT to_json(t) FROM (SELECT * FROM vendor_tasks WHERE subject = 'order:${id}') t`,
    )
    .catch(() => [])
  return rows.map(({ row }) => `  ${JSON.stringify(row)}`)
}

function logOf({ places }: World, id: string): string[] {
  return places.flatMap(({ service }) =>
    service.lines
      .filter((line) => line.includes(id))
      .slice(0, mostLines)
      .map((line) => `  process ${service.name}: ${line}`),
  )
}

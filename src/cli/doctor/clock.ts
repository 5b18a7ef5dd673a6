import { createHttpClient } from '../../platform/http-call.js'
import { type Check, doubt, type Found, ok, wrong } from './check.js'

/** Feishu refuses nothing for a clock that is somewhat off; `stage_time` and the age of events go by it. */
const doubtMs = 5000
const wrongMs = 60_000

export const clockCheck: Check = {
  name: 'clock',
  run: async (ground) => {
    const offsets = [await ofDatabase(ground), await ofFeishu(ground)].flatMap((each) => each ?? [])
    const found = offsets.flatMap(judge)
    if (found.length > 0) return found
    return ok(offsets.map(({ other, ms }) => `${seconds(ms)} from ${other}`).join(', '))
  },
}

interface Offset {
  other: string
  ms: number
}

async function ofDatabase({ database }: Parameters<Check['run']>[0]): Promise<Offset> {
  const before = Date.now()
  const { rows } = await database.pool.query<{ ms: number }>(
    'SELECT extract(epoch FROM clock_timestamp())::float8 * 1000 AS ms',
  )
  return { other: 'PostgreSQL', ms: (before + Date.now()) / 2 - (rows[0]?.ms ?? Number.NaN) }
}

/** By the Date header of any answer, which counts whole seconds. */
async function ofFeishu({ config }: Parameters<Check['run']>[0]): Promise<Offset | undefined> {
  const [app] = config.feishu.apps
  if (app === undefined) return undefined
  const client = createHttpClient({ proxy: config.proxy })
  try {
    const answer = await client.call({ method: 'GET', url: new URL(app.baseUrl), timeoutMs: config.feishu.timeoutMs })
    const date = answer.kind === 'answer' ? Date.parse(answer.headers.date ?? '') : Number.NaN
    return Number.isNaN(date) ? undefined : { other: 'Feishu', ms: Date.now() - date - 500 }
  } finally {
    client.stop()
  }
}

function judge({ other, ms }: Offset): Found[] {
  const problem = `this machine's clock is ${seconds(ms)} from that of ${other}`
  const remedy = 'keep both with NTP (chrony, systemd-timesyncd)'
  if (Math.abs(ms) > wrongMs) return wrong(problem, remedy)
  return Math.abs(ms) > doubtMs ? doubt(problem, remedy) : []
}

const seconds = (ms: number) => `${(ms / 1000).toFixed(1)} s`

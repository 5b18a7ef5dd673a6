import { setTimeout as sleep } from 'node:timers/promises'
import { answerQuestions } from '../support/answer.js'
import { quantile } from '../support/figures.js'
import { type Connection, openConnection } from './connection.js'
import { makePushes } from './pushes.js'

/* Who pushes: a process of its own that has made all requests before the clock starts, and only writes and reads then. */

export interface Aimed {
  port: number
  connections: number
}

export interface Pushed {
  seconds: number
  perSecond: number
  p50: number
  p99: number
  max: number
  /** Of this process: when it is near 100 %, the door was not what was measured. */
  cpuShare: number
}

let pushes: Buffer[] = []

answerQuestions(
  {
    make: (count: number) => {
      pushes = makePushes(count)
      return pushes[0]?.length ?? 0
    },
    saturate: (aimed: Aimed) => withConnections(aimed, saturate),
    steady: ({ perSecond, ...aimed }: Aimed & { perSecond: number }) =>
      withConnections(aimed, (all) => keepPace(all, perSecond)),
  },
  async () => undefined,
)

async function withConnections({ port, connections }: Aimed, work: (all: Connection[]) => Promise<number[]>) {
  const all = await Promise.all(Array.from({ length: connections }, () => openConnection(port)))
  const startedAt = performance.now()
  const cpu = process.cpuUsage()
  const waits = await work(all)
  const { user, system } = process.cpuUsage(cpu)
  const seconds = (performance.now() - startedAt) / 1000
  for (const each of all) each.close()
  const pushed: Pushed = {
    seconds,
    perSecond: waits.length / seconds,
    p50: quantile(waits, 0.5),
    p99: quantile(waits, 0.99),
    max: quantile(waits, 1),
    cpuShare: (user + system) / 1e6 / seconds,
  }
  return pushed
}

/** Each connection sends its next push when it has the answer to the last. */
async function saturate(all: Connection[]): Promise<number[]> {
  const waits: number[] = []
  let next = 0
  await Promise.all(
    all.map(async (connection) => {
      for (let push = pushes[next++]; push !== undefined; push = pushes[next++]) {
        const sentAt = performance.now()
        await connection.send(push)
        waits.push(performance.now() - sentAt)
      }
    }),
  )
  return waits
}

/** One push every so often, whatever became of those before: its wait counts from the time at which it was due. */
async function keepPace(free: Connection[], perSecond: number): Promise<number[]> {
  const waits: number[] = []
  const startedAt = performance.now()
  const due: Array<{ push: Buffer; dueAt: number }> = []
  const under = new Set<Promise<void>>()
  const sendDue = () => {
    for (let one = due[0]; one !== undefined && free.length > 0; one = due[0]) {
      due.shift()
      const sending = send(one).finally(() => under.delete(sending))
      under.add(sending)
    }
  }
  const send = async ({ push, dueAt }: { push: Buffer; dueAt: number }) => {
    // In turns: one that rests for seconds is closed by a door with Node's own keep-alive timeout.
    const connection = free.shift()
    if (connection === undefined) throw new Error('a push went out without a connection')
    await connection.send(push)
    waits.push(performance.now() - dueAt)
    free.push(connection)
    sendDue()
  }
  for (const [index, push] of pushes.entries()) {
    const dueAt = startedAt + (1000 * index) / perSecond
    // A timer may be early by what is less than a millisecond.
    while (dueAt > performance.now()) await sleep(Math.ceil(dueAt - performance.now()))
    due.push({ push, dueAt })
    sendDue()
  }
  while (under.size > 0) await Promise.all(under)
  return waits
}

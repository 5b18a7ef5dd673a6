import { readdir, readFile } from 'node:fs/promises'
import type pg from 'pg'

/** The kernel counts in hundredths of a second. */
const tickMs = 10

/** CPU of the server and of all that it started, ended ones included, in ms; Linux only, NaN elsewhere. */
export async function postgresCpuMs(pool: pg.Pool): Promise<number> {
  const { rows } = await pool.query<{ pid: number }>('SELECT pg_backend_pid() AS pid')
  const server = (await statOf(rows[0]?.pid ?? 0))?.parent
  if (server === undefined) return Number.NaN
  const pids = (await readdir('/proc')).map(Number).filter((pid) => pid > 0)
  const processes = (await Promise.all(pids.map(statOf))).filter((each) => each !== null)
  const own = processes.filter(({ pid }) => pid === server).map(({ ticks, endedTicks }) => ticks + endedTicks)
  const children = processes.filter(({ parent }) => parent === server).map(({ ticks }) => ticks)
  return tickMs * [...own, ...children].reduce((total, ticks) => total + ticks, 0)
}

/** proc(5); the name, in brackets, may hold anything. `null` for a process that is gone. */
async function statOf(pid: number) {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => null)
  if (text === null) return null
  const fields = text
    .slice(text.lastIndexOf(')') + 2)
    .split(' ')
    .map(Number)
  const at = (index: number) => fields[index] ?? 0
  return { pid, parent: at(1), ticks: at(11) + at(12), endedTicks: at(13) + at(14) }
}

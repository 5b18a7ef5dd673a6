import { readdir, readFile } from 'node:fs/promises'
import type pg from 'pg'

/** The kernel counts in hundredths of a second: https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html */
const tickMs = 10

/** CPU of a process until now, in ms; NaN where there is no /proc. */
export async function cpuMsOf(pid: number): Promise<number> {
  return tickMs * ((await statOf(pid))?.ticks ?? Number.NaN)
}

/** CPU of the server that answers and of all that it started, ended ones included, in ms; NaN where there is no /proc. */
export async function postgresCpuMs(asked: Pick<pg.Pool, 'query'>): Promise<number> {
  const { rows } = await asked.query<{ pid: number }>('SELECT pg_backend_pid() AS pid')
  const server = (await statOf(rows[0]?.pid ?? 0))?.parent
  if (server === undefined) return Number.NaN
  const pids = (await readdir('/proc')).map(Number).filter((pid) => pid > 0)
  const processes = (await Promise.all(pids.map(statOf))).filter((each) => each !== null)
  const own = processes.filter(({ pid }) => pid === server).map(({ ticks, endedTicks }) => ticks + endedTicks)
  const children = processes.filter(({ parent }) => parent === server).map(({ ticks }) => ticks)
  return tickMs * [...own, ...children].reduce((total, ticks) => total + ticks, 0)
}

/** The name, in brackets, may hold anything. `null` for a process that is gone. */
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

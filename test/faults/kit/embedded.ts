import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { isAlive, signal } from '../../../src/platform/embedded/process.js'

/** The PostgreSQL that a service brought along, seen from its data folder. */
export class Embedded {
  readonly #folder: string

  constructor(dataDir: string) {
    this.#folder = dataDir
  }

  /** Of the server that runs now, or ran last; undefined before the first. */
  async pid(): Promise<number | undefined> {
    return (await this.#pidFile())?.pid
  }

  /** A killed service leaves its server behind. */
  async kill(): Promise<void> {
    const pid = await this.pid()
    if (pid === undefined || !signal(pid, 'SIGQUIT')) return
    while (await isAlive(pid)) await sleep(10)
  }

  async read<T extends pg.QueryResultRow>(sql: string): Promise<T[]> {
    const port = (await this.#pidFile())?.port
    const password = (await readFile(join(this.#folder, 'password'), 'utf8')).trim()
    const client = new pg.Client({ host: '127.0.0.1', port, user: 'bgc', password, database: 'bgc' })
    client.on('error', () => undefined)
    await client.connect()
    try {
      return (await client.query<T>(sql)).rows
    } finally {
      await client.end()
    }
  }

  /** https://www.postgresql.org/docs/18/storage-file-layout.html: pid first, port fourth. */
  async #pidFile(): Promise<{ pid: number; port: number } | undefined> {
    const text = await readFile(join(this.#folder, 'postgres/postmaster.pid'), 'utf8').catch(() => undefined)
    const [pid, , , port] = text?.split('\n').map(Number) ?? []
    return pid === undefined || port === undefined ? undefined : { pid, port }
  }
}

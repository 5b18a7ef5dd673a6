import { cp, mkdir, mkdtemp, realpath, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { giveTo, giveTreeTo, makeFolder } from '../../../src/platform/embedded/account.js'
import { findBinaries } from '../../../src/platform/embedded/binaries.js'
import { type Cluster, NAME, openCluster } from '../../../src/platform/embedded/cluster.js'
import { freePort } from '../../../src/platform/embedded/postgres.js'
import { launch, type Postmaster, shutDown } from '../../../src/platform/embedded/postmaster.js'

/** The service's own account: limits on connections do not hold for superusers. */
const role = 'service'
const password = 'of-the-service'

/** A PostgreSQL server of the run's own, and what can happen to one. */
export class OwnPostgres {
  readonly #folder: string
  #cluster: Cluster
  #server: Postmaster
  #standby: { cluster: Cluster; server: Postmaster } | undefined

  private constructor(folder: string, cluster: Cluster, server: Postmaster) {
    this.#folder = folder
    this.#cluster = cluster
    this.#server = server
  }

  static async start(): Promise<OwnPostgres> {
    const made = await mkdtemp(join(tmpdir(), 'bgc-faults-'))
    const dataDir = join(made, 'data')
    await makeFolder(dataDir)
    const cluster = await openCluster(await realpath(dataDir), await findBinaries())
    const server = new OwnPostgres(made, cluster, await start(cluster))
    process.once('exit', server.#onExit)
    await server.ask(`CREATE ROLE ${role} LOGIN PASSWORD '${password}'`)
    await server.ask(`CREATE DATABASE ${role} OWNER ${role}`)
    return server
  }

  readonly #onExit = () => {
    for (const each of [this.#server, this.#standby?.server])
      if (each && !each.isGone()) process.kill(each.pid, 'SIGQUIT')
  }

  get port(): number {
    return this.#server.port
  }

  /** For a service that comes over a link; `port` for one that comes directly. */
  urlAt(port: number): string {
    return `postgresql://${role}:${password}@127.0.0.1:${port}/${role}`
  }

  /** As an administrator, past every link. */
  async ask<T extends pg.QueryResultRow>(sql: string, database = 'postgres'): Promise<T[]> {
    return asked(this.#cluster, this.#server.port, database, async (client) => (await client.query<T>(sql)).rows)
  }

  /** What the service has written. */
  read<T extends pg.QueryResultRow>(sql: string): Promise<T[]> {
    return this.ask<T>(sql, role)
  }

  /** At once, without a checkpoint, as by a crash. */
  async kill(): Promise<void> {
    process.kill(this.#server.pid, 'SIGQUIT')
    // Its end alone keeps nobody awake.
    while (!this.#server.isGone()) await sleep(5)
  }

  async back(): Promise<void> {
    this.#server = await start(this.#cluster, this.#server.port)
  }

  /** Lets the service have so many connections and breaks those that it has; `null`: as many as it wants. */
  async limitConnections(most: number | null): Promise<void> {
    await this.ask(`ALTER ROLE ${role} CONNECTION LIMIT ${most ?? -1}`)
    if (most !== null)
      await this.ask(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '${role}'`)
  }

  /** Makes a standby without which nothing is acknowledged. */
  async follow(): Promise<void> {
    const cluster = {
      ...this.#cluster,
      data: join(this.#folder, 'standby'),
      logFile: join(this.#folder, 'standby.log'),
    }
    const label = await asked(this.#cluster, this.port, 'postgres', (client) =>
      copy(client, this.#cluster, cluster.data),
    )
    const primary = `host=127.0.0.1 port=${this.port} user=${NAME} password=${cluster.password} application_name=standby`
    await writeFile(join(cluster.data, 'backup_label'), label)
    await writeFile(join(cluster.data, 'standby.signal'), '')
    await writeFile(
      join(cluster.data, 'postgresql.auto.conf'),
      `primary_conninfo = '${primary}'\nwal_retrieve_retry_interval = 200\n`,
    )
    await giveTreeTo(cluster.account, this.#folder)
    this.#standby = { cluster, server: await start(cluster) }
    await this.ask(`ALTER SYSTEM SET synchronous_standby_names = 'standby'`)
    await this.ask('SELECT pg_reload_conf()')
  }

  /** The primary goes and does not come back. */
  async loseForGood(): Promise<void> {
    if (this.#standby === undefined) throw new Error('nobody follows')
    await this.kill()
  }

  /** The standby is the primary, at another address. Answers its port. */
  async promote(): Promise<number> {
    if (this.#standby === undefined) throw new Error('nobody follows')
    const { cluster, server } = this.#standby
    this.#standby = undefined
    this.#cluster = cluster
    this.#server = server
    await this.ask('SELECT pg_promote()')
    return server.port
  }

  async stop(): Promise<void> {
    if (this.#standby) await shutDown(this.#standby.server)
    if (!this.#server.isGone()) await shutDown(this.#server)
    process.removeListener('exit', this.#onExit)
    await rm(this.#folder, { recursive: true, force: true })
  }
}

async function start(cluster: Cluster, port?: number): Promise<Postmaster> {
  for (let tries = 0; ; tries += 1) {
    try {
      return await launch(cluster, port ?? (await freePort()), new AbortController().signal)
    } catch (failure) {
      // Sessions of a killed server may not have noticed yet, and a free port may have been taken: both pass.
      if (tries >= 10 || !/already in use|still in use/.test(String(failure))) throw failure
    }
  }
}

/** As pg_basebackup does it, which the embedded programs lack. Answers the backup's label. */
async function copy(client: pg.Client, { data, account }: Cluster, to: string): Promise<string> {
  await client.query(`SELECT pg_backup_start('standby', true)`)
  const isLeftOut = (path: string) => basename(path).startsWith('postmaster.') || path.startsWith(join(data, 'pg_wal/'))
  await cp(data, to, { recursive: true, filter: (path) => !isLeftOut(path) })
  await mkdir(join(to, 'pg_wal'), { recursive: true, mode: 0o700 })
  await giveTo(account, to)
  const { rows } = await client.query<{ labelfile: string }>('SELECT labelfile FROM pg_backup_stop(false)')
  return rows[0]?.labelfile ?? ''
}

async function asked<T>(
  { password }: Cluster,
  port: number,
  database: string,
  use: (client: pg.Client) => Promise<T>,
): Promise<T> {
  const client = new pg.Client({ host: '127.0.0.1', port, user: NAME, password, database })
  client.on('error', () => undefined)
  await client.connect()
  try {
    return await use(client)
  } finally {
    await client.end()
  }
}

import { randomBytes } from 'node:crypto'
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Account, findAccount, findMaker, giveTo, giveTreeTo } from './account.js'
import type { Binaries } from './binaries.js'
import { collect } from './output.js'
import { isErrno } from './process.js'

/** What is on disk: `postgres/` (the data), `password`, `postgres.log`, and who may run it. */
export type Cluster = {
  folder: string
  data: string
  logFile: string
  password: string
  account: Account
  binaries: Binaries
}

/** The superuser and the database have the same name. */
export const NAME = 'bgc'

/** Opens the data folder, and makes the database cluster at the first start. Call with the folder's lock held. */
export async function openCluster(folder: string, binaries: Binaries): Promise<Cluster> {
  const { account, version } = await findAccount(folder, binaries.postgres)
  const data = join(folder, 'postgres')
  await checkVersion(data, version)
  const password = await readPassword(folder, data, account)
  const cluster = { folder, data, logFile: join(folder, 'postgres.log'), password, account, binaries }
  if ((await readOrNull(join(data, 'PG_VERSION'))) === null) await initialise(cluster)
  return cluster
}

async function checkVersion(data: string, version: string): Promise<void> {
  const found = (await readOrNull(join(data, 'PG_VERSION')))?.trim()
  const ours = /\(PostgreSQL\) (\d+)/.exec(version)?.[1]
  if (!ours) throw new Error(`The embedded PostgreSQL does not tell its version: ${version}`)
  if (found === undefined || found === ours) return
  throw new Error(
    `The data folder ${data} was written by PostgreSQL ${found}, and the embedded one is PostgreSQL ${ours}, which cannot ` +
      `read it. Either go back to the release that came with PostgreSQL ${found}; or with that release run \`bgc backup\`, ` +
      'move the folder away, and run `bgc restore` with this one; or serve the folder with a PostgreSQL ' +
      `${found} of your own and set DATABASE_URL.`,
  )
}

async function readPassword(folder: string, data: string, account: Account): Promise<string> {
  const file = join(folder, 'password')
  const kept = (await readOrNull(file))?.trim()
  if (kept) return kept
  if ((await readOrNull(join(data, 'PG_VERSION'))) !== null) {
    throw new Error(`There are data in ${data}, but the file ${file} with their password is gone. Put it back.`)
  }
  const made = randomBytes(24).toString('base64url')
  await writeFile(`${file}.new`, `${made}\n`, { mode: 0o600, flush: true })
  await giveTo(account, `${file}.new`)
  await rename(`${file}.new`, file)
  return made
}

async function initialise({ folder, data, account, binaries }: Cluster): Promise<void> {
  // Made aside and renamed, so that a start that was killed half-way leaves nothing that looks like data.
  const fresh = `${data}.new`
  await rm(fresh, { recursive: true, force: true })
  await mkdir(fresh, { mode: 0o700 })
  const maker = await findMaker(account, folder, binaries.initdb)
  await giveTo(maker, fresh)
  await giveTo(maker, join(folder, 'password'))
  const identity = ['-D', fresh, '-U', NAME, '-A', 'scram-sha-256', `--pwfile=${join(folder, 'password')}`]
  const text = ['-E', 'UTF8', '--locale=C', '--locale-provider=builtin', '--builtin-locale=C.UTF-8']
  const child = maker.spawn(binaries.initdb, [...identity, ...text, '--no-instructions'], {
    cwd: '/',
    env: BARE_ENVIRONMENT,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const { code, output } = await collect(child)
  if (code !== 0) throw new Error(notMade(fresh, output.trim()))
  await giveTo(account, join(folder, 'password'))
  if (maker.uid !== account.uid) await giveTreeTo(account, fresh)
  // An empty folder of that name may be there already; a folder with anything in it is never replaced.
  await rename(fresh, data)
}

function notMade(fresh: string, output: string): string {
  const nameless = /could not look up effective user ID/.test(output)
    ? ' Give this user a name in /etc/passwd, start as a user that has one, or set DATABASE_URL.'
    : ''
  return `The embedded PostgreSQL could not make its data folder ${fresh}: ${output}${nameless}`
}

/** Our own environment holds secrets, and PG* names in it would change what PostgreSQL does. */
export const BARE_ENVIRONMENT = { PATH: '/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' }

export async function readOrNull(file: string): Promise<string | null> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return null
    throw error
  }
}

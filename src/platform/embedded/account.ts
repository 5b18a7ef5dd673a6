import { type SpawnOptions, spawn } from 'node:child_process'
import { chown, mkdir, stat } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { collect } from './output.js'
import { isErrno } from './process.js'

/**
 * The system account that PostgreSQL runs as. It refuses to run as root, so root runs it as the owner of the data, else
 * as `postgres`, else as `nobody`; no account is ever created.
 *
 * Such an account often cannot reach a folder below root's home. `setpriv` (util-linux) then lets it pass with the one
 * capability that this takes. PostgreSQL also asks access(2), which drops capabilities unless `no_setuid_fixup` is set.
 */
export type Account = {
  uid: number
  gid: number
  /** How a program is started as this account. */
  spawn: (command: string, args: string[], options: SpawnOptions) => ReturnType<typeof spawn>
}

type Ids = { uid: number; gid: number }
const PASS = ['--securebits=+no_setuid_fixup', '--inh-caps=-all,+dac_override', '--ambient-caps=-all,+dac_override']

/** Finds an account that can use the data folder and the program; `version` is what the program says it is. */
export const findAccount = async (folder: string, program: string) => reach(await chooseIds(folder), folder, program)

/**
 * The account that makes the data: initdb wants its user to have a name, and a mounted folder often belongs to a number
 * that has none here. Root lets another one do it then, and gives the result to the owner.
 */
export async function findMaker(account: Account, folder: string, program: string): Promise<Account> {
  if (!asRoot() || (await hasName(account.uid))) return account
  const named = await namedIds()
  return named ? (await reach(named, folder, program)).account : account
}

async function reach(ids: Ids, folder: string, program: string): Promise<{ account: Account; version: string }> {
  const complaints: string[] = []
  for (const account of waysToBe(ids)) {
    const { code, output } = await probe(account, folder, program)
    if (code === 0) return { account, version: output.trim() }
    complaints.push(output.trim())
  }
  throw new Error(
    `PostgreSQL cannot run here as uid ${ids.uid}, which must be able to enter ${folder} and to run ${program}` +
      `${asRoot() ? ' (it refuses to run as root)' : ''}. Use folders that this account can reach (BGC_DATA_DIR), start ` +
      `the service as another user, or set DATABASE_URL. What was tried: ${complaints.join('; ')}`,
  )
}

/** Makes the data folder where it is missing, owned by the account that will use it. */
export async function makeFolder(path: string): Promise<void> {
  const folder = resolve(path)
  try {
    // Only the last folder is private: the parents may have to be passed by another account.
    await mkdir(dirname(folder), { recursive: true })
    await mkdir(folder, { mode: 0o700 })
  } catch (cause) {
    if (isErrno(cause, 'EEXIST')) return
    throw new Error(`The data folder ${folder} cannot be made: choose another with BGC_DATA_DIR.`, { cause })
  }
  await giveTo(await chooseIds(folder), folder)
}

/** Gives what we made as root to the account that PostgreSQL runs as. */
export async function giveTo({ uid, gid }: Ids, path: string): Promise<void> {
  if (asRoot()) await chown(path, uid, gid)
}

export async function giveTreeTo({ uid, gid }: Ids, path: string): Promise<void> {
  const { code, output } = await collect(spawn('chown', ['-R', `${uid}:${gid}`, path]))
  if (code !== 0) throw new Error(`The data in ${path} cannot be given to uid ${uid}: ${output.trim()}`)
}

function waysToBe(ids: Ids): Account[] {
  if (!asRoot()) return [{ ...ids, spawn }]
  const become = [`--reuid=${ids.uid}`, `--regid=${ids.gid}`, '--clear-groups', ...PASS]
  const plain: Account = { ...ids, spawn: (command, args, options) => spawn(command, args, { ...options, ...ids }) }
  const passing: Account = {
    ...ids,
    spawn: (command, args, options) => spawn('setpriv', [...become, command, ...args], options),
  }
  return process.platform === 'linux' ? [plain, passing] : [plain]
}

async function chooseIds(folder: string): Promise<Ids> {
  const ofData = await ownerOf(join(folder, 'postgres'))
  if (!asRoot()) return ownIds(folder, ofData)
  const owner = ofData ?? (await ownerOf(folder))
  const ids = owner && owner.uid !== 0 ? owner : await namedIds()
  if (!ids) throw new Error('PostgreSQL refuses to run as root, and there is no user postgres or nobody to run it as.')
  return ids
}

function ownIds(folder: string, ofData: Ids | undefined): Ids {
  const ids = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 }
  if (!ofData || ofData.uid === ids.uid) return ids
  throw new Error(
    `The data in ${folder} belong to uid ${ofData.uid}, and this process runs as uid ${ids.uid}: ` +
      'start it as their owner (or as root), or give it another BGC_DATA_DIR.',
  )
}

async function ownerOf(path: string): Promise<Ids | undefined> {
  try {
    const { uid, gid } = await stat(path)
    return { uid, gid }
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return undefined
    throw error
  }
}

const namedIds = async () => (await lookUp('postgres')) ?? (await lookUp('nobody'))

const hasName = async (uid: number) => (await collect(spawn('id', ['-nu', String(uid)]))).code === 0

async function lookUp(name: string): Promise<Ids | undefined> {
  const [uid, gid] = await Promise.all(['-u', '-g'].map((what) => collect(spawn('id', [what, name]))))
  return uid?.code === 0 && gid?.code === 0 ? { uid: Number(uid.output), gid: Number(gid.output) } : undefined
}

const probe = (account: Account, folder: string, program: string) =>
  collect(
    account.spawn('/bin/sh', ['-c', 'cd -- "$1" && exec "$2" --version', 'sh', folder, program], { cwd: '/', env: {} }),
  )

const asRoot = () => process.getuid?.() === 0

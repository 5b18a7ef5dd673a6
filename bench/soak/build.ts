import { execFile } from 'node:child_process'
import { cp, mkdir, rm, symlink } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, extname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const root = fileURLToPath(new URL('../..', import.meta.url))
const folder = join(root, 'node_modules/.cache/bgc-soak')

/** The service compiled as for production, in a folder of its own: a build of `dist` meanwhile changes nothing. */
export async function buildService(): Promise<string> {
  await rm(folder, { recursive: true, force: true })
  await mkdir(folder, { recursive: true })
  const typescript = dirname(createRequire(import.meta.url).resolve('typescript/package.json'))
  await promisify(execFile)(process.execPath, [join(typescript, 'bin/tsc'), '-p', join(root, 'bench/soak')])
  // What is read and not compiled; a folder has no extension.
  await cp(join(root, 'src'), join(folder, 'dist'), {
    recursive: true,
    filter: (path) => !/^\.tsx?$/.test(extname(path)),
  })
  // What it looks for beside `dist`.
  for (const name of ['prisma', 'package.json']) await symlink(join(root, name), join(folder, name))
  return join(folder, 'dist/main.js')
}

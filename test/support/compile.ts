import { execFile } from 'node:child_process'
import { cp, mkdir, rm, symlink } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, extname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const root = fileURLToPath(new URL('../..', import.meta.url))

/** Where a kind of run has its programs; a build of `dist`, or another kind of run, changes nothing there. */
export function compiledFolder(name: string): string {
  return join(root, 'node_modules/.cache', name)
}

/** Compiles everything as for production, laid out as the project is: what starts from there starts as a build does. */
export async function compileInto(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true })
  const typescript = dirname(createRequire(import.meta.url).resolve('typescript/package.json'))
  const emit = ['--noEmit', 'false', '--noCheck', '--rootDir', root, '--outDir', folder]
  const again = ['--incremental', '--tsBuildInfoFile', join(folder, '.tsbuildinfo')]
  await promisify(execFile)(process.execPath, [join(typescript, 'bin/tsc'), '-p', root, ...emit, ...again])
  // What is read and not compiled; a folder has no extension.
  await cp(join(root, 'src'), join(folder, 'src'), {
    recursive: true,
    filter: (path) => !/^\.tsx?$/.test(extname(path)),
  })
  for (const name of ['prisma', 'package.json']) await link(join(root, name), join(folder, name))
}

async function link(to: string, at: string): Promise<void> {
  await rm(at, { recursive: true, force: true })
  await symlink(to, at)
}

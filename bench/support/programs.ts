import { execFile } from 'node:child_process'
import { cp, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const root = fileURLToPath(new URL('../..', import.meta.url))

/** What is measured runs compiled, as in production: a loader that renames functions costs CPU. */
export const programs = join(root, 'node_modules/.cache/bgc-bench')

export async function compilePrograms(): Promise<void> {
  const typescript = dirname(createRequire(import.meta.url).resolve('typescript/package.json'))
  await promisify(execFile)(process.execPath, [join(typescript, 'bin/tsc'), '-p', join(root, 'bench/tsconfig.json')])
  await writeFile(join(programs, 'package.json'), '{"type":"module","version":"0.0.0"}\n')
  // What a process reads beside its code.
  for (const folder of ['src/operate/console/assets', 'prisma/migrations']) {
    await cp(join(root, folder), join(programs, folder), { recursive: true })
  }
}

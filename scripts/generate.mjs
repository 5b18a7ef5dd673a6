// `prisma generate` asks for a schema engine that it never runs; naming any executable lets it work without a download.
import { execFileSync } from 'node:child_process'
import { createRequire } from 'node:module'

const prisma = createRequire(import.meta.url).resolve('prisma/build/index.js')
const env = {
  ...process.env,
  PRISMA_SCHEMA_ENGINE_BINARY: process.execPath,
  PRISMA_HIDE_UPDATE_MESSAGE: '1',
  CHECKPOINT_DISABLE: '1',
}
try {
  execFileSync(process.execPath, [prisma, 'generate', '--no-hints'], { env, stdio: ['ignore', 'pipe', 'pipe'] })
} catch (failure) {
  process.stderr.write(`prisma generate failed:\n${failure.stdout ?? ''}${failure.stderr ?? failure}\n`)
  process.exit(1)
}

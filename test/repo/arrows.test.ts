import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { z } from 'zod'

const root = fileURLToPath(new URL('../..', import.meta.url))
const oxlint = join(root, 'node_modules/oxlint/bin/oxlint')

/** What each file may not import, and what it may: [file, specifier]. */
const forbidden = [
  ['src/platform/planted.ts', '../flow/map.js'],
  ['src/platform/database/planted.ts', '../../operate/health.js'],
  ['src/platform/planted.ts', '../sandbox/index.js'],
  ['src/platform/planted.ts', '../config.js'],
  ['src/flow/map.ts', './orders/place.js'],
  ['src/flow/from-feishu/planted.ts', '../inbox/accept.js'],
  ['src/flow/from-feishu/planted.ts', '../timeline.js'],
  ['src/flow/from-feishu/planted.ts', '../../operate/metrics.js'],
  ['src/flow/inbox/planted.ts', '../outbox/put.js'],
  ['src/flow/inbox/planted.ts', '../to-feishu/tokens.js'],
  ['src/flow/inbox/planted.ts', '../to-feishu/slots.js'],
  ['src/flow/inbox/planted.ts', '../vendor/http.js'],
  ['src/flow/accounts/planted.ts', '../outbox/put.js'],
  ['src/flow/catalog/planted.ts', '../to-feishu/pump.js'],
  ['src/flow/catalog/planted.ts', '../orders/poll.js'],
  ['src/flow/agreements/planted.ts', '../catalog/plan.js'],
  ['src/flow/keepers.ts', './orders/place.js'],
  ['src/flow/orders/planted.ts', '../reconcile/sweeper.js'],
  ['src/flow/orders/planted.ts', '../personal-data/erase.js'],
  ['src/flow/inbox/planted.ts', '../personal-data/erase.js'],
  ['src/flow/outbox/planted.ts', '../personal-data/contacts.js'],
  ['src/flow/personal-data/planted.ts', '../inbox/worker.js'],
  ['src/flow/personal-data/planted.ts', '../to-feishu/pump.js'],
  ['src/flow/housekeeping/planted.ts', '../inbox/accept.js'],
  ['src/flow/reconcile/planted.ts', '../inbox/accept.js'],
  ['src/flow/orders/planted.ts', '../to-feishu/pump.js'],
  ['src/flow/orders/planted.ts', '../accounts/bind.js'],
  ['src/flow/orders/planted.ts', '../../app.js'],
  ['src/flow/outbox/planted.ts', '../orders/poll.js'],
  ['src/platform/limiter/planted.ts', '../../flow/orders/poll.js'],
  ['src/flow/to-feishu/planted.ts', '../../sandbox/index.js'],
  ['src/flow/rotation/planted.ts', '../../operate/health.js'],
  ['src/flow/rotation/planted.ts', '../catalog/plan.js'],
  ['src/flow/archive/planted.ts', '../orders/place.js'],
  ['src/flow/archive/planted.ts', '../../operate/health.js'],
  ['src/flow/orders/planted.ts', '../archive/move.js'],
  ['src/flow/reconcile/planted.ts', '../archive/read.js'],
  ['src/flow/vendor/planted.ts', '../map.js'],
  ['src/flow/vendor/planted.ts', '../orders/diff.js'],
  ['src/flow/orders/start.ts', '../../operate/metrics.js'],
  ['src/flow/orders/start.ts', '../../app.js'],
  ['src/flow/reports/planted.ts', '../to-feishu/pump.js'],
  ['src/flow/reports/planted.ts', '../orders/place.js'],
  ['src/flow/reports/planted.ts', '../outbox/put.js'],
  ['src/flow/to-feishu/planted.ts', '../reports/link.js'],
  ['src/flow/reconcile/planted.ts', '../reports/link.js'],
  ['src/operate/planted.ts', '../sandbox/index.js'],
  ['src/sandbox/feishu/planted.ts', '../../flow/from-feishu/signature.js'],
  ['src/sandbox/demo/planted.ts', '../../operate/health.js'],
  ['src/config/planted.ts', '../platform/logger.js'],
  ['src/conformance/planted.ts', '../config.js'],
  ['src/conformance/checks/planted.ts', '../../flow/orders/place.js'],
] as const

const allowed = [
  ['src/flow/from-feishu/planted.ts', "import { a } from '../map.js'"],
  ['src/flow/inbox/planted.ts', "import { a } from '../to-feishu/tokens-store.js'"],
  ['src/flow/inbox/planted.ts', "import type { a } from '../vendor/adapter.js'"],
  ['src/flow/accounts/planted.ts', "import { a } from '../orders/place.js'"],
  ['src/flow/accounts/planted.ts', "import { a } from '../catalog/sync.js'"],
  ['src/flow/catalog/planted.ts', "import { a } from '../outbox/put-other.js'"],
  ['src/flow/keepers.ts', "import { a } from './catalog/settled.js'"],
  ['src/flow/reconcile/planted.ts', "import { a } from '../orders/cancel.js'"],
  ['src/flow/rotation/planted.ts', "import { a } from '../inbox/accept.js'"],
  ['src/flow/archive/planted.ts', "import { a } from '../archived.js'"],
  ['src/flow/orders/planted.ts', "import { a } from '../archived.js'"],
  ['src/flow/orders/planted.ts', "import { a } from '../outbox/put.js'"],
  ['src/flow/orders/planted.ts', "import { a } from '../personal-data/contacts.js'"],
  ['src/flow/personal-data/planted.ts', "import { a } from '../inbox/accept.js'"],
  ['src/flow/housekeeping/planted.ts', "import { a } from '../personal-data/erase.js'"],
  ['src/flow/orders/start.ts', "import { a } from '../accounts/bind.js'"],
  ['src/flow/orders/start.ts', "import type { a } from '../../app.js'"],
  ['src/platform/limiter/planted.ts', "import { a } from '../loop.js'"],
  ['src/sandbox/feishu/planted.ts', "import { a } from '../vendor/orders.js'"],
  ['src/flow/reports/planted.ts', "import { a } from '../orders/stages.js'"],
  ['src/flow/reports/planted.ts', "import { a } from '../vendor/file-fetch.js'"],
  ['src/flow/to-feishu/start.ts', "import { a } from '../reports/sent-links.js'"],
  ['src/operate/planted.ts', "import { a } from '../flow/orders/record.js'"],
] as const

const report = z.object({ diagnostics: z.array(z.object({ code: z.string(), filename: z.string() })) })

let folder: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bgc-arrows-'))
  const config = z.looseObject({}).parse(JSON.parse(await readFile(join(root, '.oxlintrc.json'), 'utf8')))
  const { $schema: _, options: __, ...rules } = config
  await plant('.oxlintrc.json', JSON.stringify(rules))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

async function plant(path: string, text: string): Promise<void> {
  await mkdir(dirname(join(folder, path)), { recursive: true })
  await writeFile(join(folder, path), text)
}

/** The rules that each planted file breaks, by its path. */
async function lint(files: Readonly<Record<string, string>>): Promise<string[]> {
  await rm(join(folder, 'src'), { recursive: true, force: true })
  for (const [path, text] of Object.entries(files)) await plant(path, text)
  const output = await new Promise<string>((resolve) => {
    execFile(process.execPath, [oxlint, '-f', 'json'], { cwd: folder }, (_failure, stdout) => resolve(stdout))
  })
  const { diagnostics } = report.parse(JSON.parse(output))
  return diagnostics.map(({ filename, code }) => `${filename} ${code}`)
}

describe('the arrows between rooms', () => {
  it.each(forbidden)('are red when %s imports %s', async (file, specifier) => {
    const found = await lint({ [file]: `import { a } from '${specifier}'\nexport const b = a\n` })
    expect(found).toContain(`${file} eslint(no-restricted-imports)`)
  })

  it.each(allowed)('let %s write %s', async (file, line) => {
    const use = line.startsWith('import type') ? 'export type b = a' : 'export const b = a'
    expect(await lint({ [file]: `${line}\n${use}\n` })).toEqual([])
  })

  it('name every room of the flow, so that a new room cannot come without its arrows', async () => {
    const { overrides } = z
      .object({ overrides: z.array(z.object({ files: z.array(z.string()) })) })
      .parse(JSON.parse(await readFile(join(root, '.oxlintrc.json'), 'utf8')))
    const named = overrides.flatMap(({ files }) => files)
    const rooms = (await readdir(join(root, 'src/flow'), { withFileTypes: true })).filter((entry) =>
      entry.isDirectory(),
    )
    expect(rooms.filter(({ name }) => !named.includes(`src/flow/${name}/**`)).map(({ name }) => name)).toEqual([])
  })
})

describe('lint', () => {
  it('is red where anything but src/config.ts reads the environment', async () => {
    const reads = 'export const home = process.env.HOME\n'
    expect(await lint({ 'src/flow/orders/planted.ts': reads, 'src/config.ts': reads })).toEqual([
      'src/flow/orders/planted.ts node(no-process-env)',
    ])
  })

  it('is red at a cycle of imports', async () => {
    const found = await lint({
      'src/platform/a.ts': "import { b } from './b.js'\nexport const a = (): unknown => b\n",
      'src/platform/b.ts': "import { a } from './a.js'\nexport const b = (): unknown => a\n",
    })
    expect(found).toContain('src/platform/a.ts import(no-cycle)')
  })

  it('passes over the generated Prisma client', async () => {
    const loose = 'export const a: any = 1\n'
    const files = { 'src/platform/database/generated/client.ts': loose, 'src/platform/planted.ts': loose }
    expect(await lint(files)).toEqual(['src/platform/planted.ts typescript(no-explicit-any)'])
  })
})

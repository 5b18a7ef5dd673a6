import { type ExecFileSyncOptionsWithStringEncoding, execFileSync } from 'node:child_process'
import { cp, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { z } from 'zod'

const at = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url))
const quiet: ExecFileSyncOptionsWithStringEncoding = {
  encoding: 'utf8',
  maxBuffer: 1e8,
  stdio: ['ignore', 'pipe', 'ignore'],
}

const bomSchema = z.object({
  bomFormat: z.literal('CycloneDX'),
  metadata: z.object({ component: z.object({ type: z.literal('application'), purl: z.string() }) }),
  components: z.array(z.object({ 'bom-ref': z.string(), hashes: z.array(z.unknown()).optional() })),
  dependencies: z.array(z.object({ ref: z.string(), dependsOn: z.array(z.string()) })),
})

const printed = execFileSync('npm', ['run', '--silent', 'sbom'], { ...quiet, cwd: at('.') })
const bom = bomSchema.parse(JSON.parse(printed))
const listed = new Set(bom.components.map((each) => each['bom-ref']))

/** What npm would install as the image does it, told without installing. */
async function installedByTheImage(): Promise<string[]> {
  const folder = await mkdtemp(join(tmpdir(), 'bgc-sbom-'))
  try {
    for (const name of ['package.json', 'package-lock.json']) await cp(at(name), join(folder, name))
    const omitted = ['--omit=dev', '--omit=optional', '--omit=peer']
    const flags = [...omitted, '--ignore-scripts', '--dry-run', '--offline', '--no-audit', '--no-json']
    const told = execFileSync('npm', ['ci', ...flags], { ...quiet, cwd: folder })
    return [...told.matchAll(/^add (\S+) (\S+)$/gm)].map(([, name, version]) => `${name}@${version}`)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

it('npm run sbom lists every package that is in the image, with its hash', async () => {
  const installed = await installedByTheImage()
  expect(installed.length).toBeGreaterThan(100)
  expect(installed.filter((ref) => !listed.has(ref))).toEqual([])
  expect(bom.components.filter((each) => installed.includes(each['bom-ref']) && !each.hashes)).toEqual([])
})

it('npm run sbom lists nothing that only builds or tests, and each dependency that it tells of', () => {
  expect([...listed].filter((ref) => /^(vitest|typescript|tsx|prisma|react|fast-check|@biomejs.*)@/.test(ref))).toEqual(
    [],
  )
  const told = bom.dependencies.flatMap(({ dependsOn }) => dependsOn)
  expect(told.filter((ref) => !listed.has(ref))).toEqual([])
  expect(bom.metadata.component.purl).toMatch(/^pkg:npm\/bgc-bridge@/)
})

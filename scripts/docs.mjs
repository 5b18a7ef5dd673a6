// Writes .env.example and docs/environment.md from src/config/variables.ts; with `--check`, fails when they differ.
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { tsImport } from 'tsx/esm/api'

const { environmentPage, envExample } = await tsImport('../src/config/docs.ts', import.meta.url)
const pages = { '.env.example': envExample(), 'docs/environment.md': environmentPage() }
const check = process.argv.includes('--check')

for (const [name, text] of Object.entries(pages)) {
  const path = fileURLToPath(new URL(`../${name}`, import.meta.url))
  const same = (await readFile(path, 'utf8').catch(() => '')) === text
  if (same) continue
  if (check) {
    console.error(`${name} differs from src/config/variables.ts: run npm run docs`)
    process.exitCode = 1
  } else {
    await mkdir(dirname(path), { recursive: true })
    await writeFile(path, text)
    console.log(`wrote ${name}`)
  }
}

// Writes .env.example and docs/environment.md from src/config/variables.ts, and docs/openapi.json from the table of
// routes; with `--check`, fails when they differ.
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { tsImport } from 'tsx/esm/api'

const { environmentPage, envExample } = await tsImport('../src/config/docs.ts', import.meta.url)
const { openApiText } = await tsImport('../src/operate/openapi/text.ts', import.meta.url)
const pages = {
  '.env.example': envExample(),
  'docs/environment.md': environmentPage(),
  'docs/openapi.json': openApiText(),
}
const check = process.argv.includes('--check')

for (const [name, text] of Object.entries(pages)) {
  const path = fileURLToPath(new URL(`../${name}`, import.meta.url))
  const same = (await readFile(path, 'utf8').catch(() => '')) === text
  if (same) continue
  if (check) {
    console.error(`${name} differs from what it is written from: run npm run docs`)
    process.exitCode = 1
  } else {
    await mkdir(dirname(path), { recursive: true })
    await writeFile(path, text)
    console.log(`wrote ${name}`)
  }
}

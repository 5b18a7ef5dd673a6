// The compiler takes TypeScript only: what browsers get as it stands is copied beside what it wrote.
import { cpSync } from 'node:fs'
import { resolve } from 'node:path'

const folder = 'operate/console/assets'

/** @param {string} built the folder of the build */
export function copyAssets(built) {
  cpSync(resolve(import.meta.dirname, '../src', folder), resolve(built, folder), { recursive: true })
}

// The last step of a build: what the compiler leaves out. It knows no modes; npm sets them at an install only, and a
// build after it would take them away.
import { chmodSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { copyAssets } from './assets.mjs'

copyAssets(fileURLToPath(new URL('../dist', import.meta.url)))
chmodSync(new URL('../dist/cli.js', import.meta.url), 0o755)

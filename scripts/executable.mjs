// The compiler knows no modes; npm sets them at an install only, and a build after it would take them away.
import { chmodSync } from 'node:fs'

chmodSync(new URL('../dist/cli.js', import.meta.url), 0o755)

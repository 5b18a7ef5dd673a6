// Removes what an earlier build has left, so that dist holds nothing that src no longer has.
import { rmSync } from 'node:fs'

rmSync(new URL('../dist', import.meta.url), { recursive: true, force: true })

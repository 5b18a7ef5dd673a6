// A backup and a restore in a process of its own: to be killed in the middle, or to have its memory looked at.

import { checkBackup } from '../../src/platform/backup/check.js'
import { writeWhole } from '../../src/platform/backup/file.js'
import { readBackup } from '../../src/platform/backup/read.js'
import { restoreBackup } from '../../src/platform/backup/restore.js'
import { writeBackup } from '../../src/platform/backup/write.js'
import { listMigrations, MIGRATIONS } from '../../src/platform/database/migrate.js'

const [mode = '', file = '', url = '', target = ''] = process.argv.slice(2)
const known = await listMigrations(MIGRATIONS)

function used(): number {
  globalThis.gc?.()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

/** How much more was used at any moment that `look` was called than at the first one. */
function watch() {
  const before = used()
  let most = 0
  let calls = 0
  const look = () => {
    calls += 1
    if (calls % 20 === 1) most = Math.max(most, used() - before)
  }
  return { look, most: () => most }
}

if (mode === 'restore') {
  const finish = async () => {
    process.stdout.write('loaded\n')
    await new Promise((resolve) => setTimeout(resolve, 600_000))
  }
  await restoreBackup({ file, checked: await checkBackup(file, known), url, finish })
}
if (mode === 'measure') {
  const write = watch()
  await writeWhole(file, (out) => writeBackup({ url, release: '0', onProgress: write.look }, out))
  const check = watch()
  for await (const part of readBackup(file)) if (part.kind === 'rows') check.look()
  const checked = await checkBackup(file, known)
  const load = watch()
  const { rows } = await restoreBackup({
    file,
    checked,
    url: target,
    finish: async () => undefined,
    onProgress: load.look,
  })
  process.stdout.write(JSON.stringify({ rows, write: write.most(), check: check.most(), load: load.most() }))
}

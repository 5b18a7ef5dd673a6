import { resolve } from 'node:path'
import { readConfig } from '../../config.js'
import { markRestored } from '../../flow/reconcile/mark-restored.js'
import { checkBackup } from '../../platform/backup/check.js'
import { restoreBackup } from '../../platform/backup/restore.js'
import { createSealer } from '../../platform/crypto/sealer.js'
import { listMigrations, MIGRATIONS } from '../../platform/database/migrate.js'
import { loadDotEnv } from '../dot-env.js'
import type { Io } from '../io.js'
import { showLine } from '../progress-line.js'
import { userOfCommand } from '../user.js'
import { withUrl } from '../with-url.js'
import { agrees, type RestoreFlags, whatIsHeld } from './ask.js'
import { refuseClosed } from './keys.js'

/** False when a person did not agree; throws in words for operators. */
export async function runRestore(name: string, flags: RestoreFlags, io: Io): Promise<boolean> {
  loadDotEnv()
  const sealer = createSealer(readConfig().encryptionKeys)
  const file = resolve(name)
  // Before a database is made for it.
  const checked = await checkBackup(file, await listMigrations(MIGRATIONS))
  const { manifest } = checked
  return withUrl({ make: true }, async ({ url, words, signal }) => {
    const what = `${file}, as of ${manifest.backup_at}, written by bgc-bridge ${manifest.release}, into ${words}`
    if (!(await agrees(what, flags, io))) return false
    const line = showLine(io)
    let held = 0
    const restored = await restoreBackup({
      file,
      checked,
      url,
      signal,
      onProgress: (rows, table) => line.show(`${rows} rows (${table})`),
      finish: async (sql) => {
        await refuseClosed(sql, sealer)
        const backupAt = new Date(manifest.backup_at)
        held = await markRestored(sql, { backupAt, actor: userOfCommand(), by: 'restore' })
      },
    }).finally(line.clear)
    const { backupAt, rows, applied } = restored
    if (flags.json) io.out(`${JSON.stringify({ backup_at: backupAt, rows, applied, tenants_held: held })}\n`)
    else io.out(`${rows} rows, as of ${backupAt}, are in ${words}; ${whatIsHeld(held)}\n`)
    return true
  })
}

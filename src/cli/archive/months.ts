import { resolve } from 'node:path'
import { exportMonth } from '../../flow/archive/export.js'
import { importMonth } from '../../flow/archive/import.js'
import { describeMonths } from '../../flow/archive/months.js'
import { readVersion } from '../../platform/version.js'
import type { Io } from '../io.js'
import { renderList } from '../operator/render.js'
import { showLine } from '../progress-line.js'
import { userOfCommand } from '../user.js'
import type { CommandParts } from '../with-database.js'

export async function showMonths({ database }: CommandParts, json: boolean, io: Io): Promise<void> {
  const months = (await describeMonths(database.pool)).map(({ month, orders, bytes, firstEndedAt, lastEndedAt }) => ({
    month,
    orders,
    bytes,
    first_ended_at: firstEndedAt?.toISOString() ?? null,
    last_ended_at: lastEndedAt?.toISOString() ?? null,
  }))
  const columns = ['month', 'orders', 'bytes', 'first_ended_at', 'last_ended_at']
  io.out(json ? `${JSON.stringify(months)}\n` : renderList(columns, months))
}

export interface ExportFlags {
  month: string
  to: string
  drop?: boolean
  json?: boolean
}

export async function runExport(
  { database }: CommandParts,
  { month, to, drop = false, json = false }: ExportFlags,
  io: Io,
): Promise<void> {
  const file = resolve(to)
  const line = showLine(io)
  const onProgress = (orders: number) => line.show(`${orders} orders`)
  const release = readVersion()
  const options = { database, month, file, drop, release, actor: userOfCommand(), onProgress }
  const { orders, sha256, bytes } = await exportMonth(options).finally(line.clear)
  if (json) {
    io.out(`${JSON.stringify({ file, month, orders, sha256, bytes, dropped: drop })}\n`)
    return
  }
  const became = drop ? '; it is out of the database, `bgc archive import` brings it back' : ''
  io.out(`${file}: ${orders} orders of ${month}, ${(bytes / 1e6).toFixed(1)} MB, read back${became}\n`)
}

export async function runImport({ database }: CommandParts, name: string, json: boolean, io: Io): Promise<void> {
  const line = showLine(io)
  const onProgress = (orders: number) => line.show(`${orders} orders`)
  const options = { database, file: resolve(name), actor: userOfCommand(), onProgress }
  const imported = await importMonth(options).finally(line.clear)
  const { month, imported: orders, existing } = imported
  io.out(json ? `${JSON.stringify(imported)}\n` : `${orders} orders of ${month} are back, ${existing} were here\n`)
}

import { createDecipheriv } from 'node:crypto'
import type { Database } from '../../src/platform/database/database.js'

/**
 * All that the tables of a schema tell to somebody who holds the keys: every column of every row as text, and every sealed
 * value opened with each key that there is, the data keys among them. Tags and rows are not checked: a value that was
 * copied somewhere else opens as well.
 */
export async function readEverything(
  { pool }: Pick<Database, 'pool'>,
  keys: Readonly<Record<string, Buffer>>,
): Promise<string> {
  const tables = await pool.query<{ name: string }>(
    `SELECT tablename AS name FROM pg_tables WHERE schemaname = current_schema() ORDER BY 1`,
  )
  const values: Buffer[] = []
  const texts: string[] = []
  for (const { name } of tables.rows) {
    const { rows } = await pool.query<Record<string, unknown>>(`SELECT * FROM "${name}"`)
    for (const [column, value] of rows.flatMap((row) => Object.entries(row))) {
      if (Buffer.isBuffer(value)) values.push(value)
      else texts.push(`${name}.${column}: ${JSON.stringify(value)}`)
    }
  }
  const opened = values.flatMap((value) => openWith(value, new Map(Object.entries(keys))))
  const dataKeys = opened.filter((plain) => plain.length === 32)
  const inner = values.flatMap((value) => dataKeys.flatMap((key) => openWith(value, new Map([['', key]]))))
  return [...texts, ...[...values, ...opened, ...inner].map((bytes) => bytes.toString('utf8'))].join('\n')
}

/** The layout of src/platform/crypto/sealer.ts. */
function openWith(sealed: Buffer, keys: ReadonlyMap<string, Buffer>): Buffer[] {
  const idEnd = 2 + (sealed[1] ?? 0)
  const key = sealed[0] === 1 ? keys.get(sealed.toString('utf8', 2, idEnd)) : undefined
  if (key === undefined || sealed.length < idEnd + 28) return []
  const decipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(idEnd, idEnd + 12))
  return [decipher.update(sealed.subarray(idEnd + 12, -16))]
}

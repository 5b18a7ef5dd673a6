import pg from 'pg'

/**
 * Which key a sealed value lies under, told from its first bytes alone (the layout is that of sealer.ts), so that
 * PostgreSQL counts and finds values without anybody opening them.
 */

/** SQL for the bytes before the nonce. What is too short to be sealed answers what there is of it. */
export function headSql(column: string): string {
  const name = pg.escapeIdentifier(column)
  // `substring` reads no more of a long value than it answers; `get_byte` alone would read all of it.
  return `CASE WHEN substring(${name} FROM 1 FOR 1) = '\\x01'::bytea AND octet_length(${name}) > 1
    THEN substring(${name} FROM 1 FOR 2 + get_byte(substring(${name} FROM 1 FOR 2), 1))
    ELSE substring(${name} FROM 1 FOR 1) END`
}

export const plainHead = Buffer.of(0)

/** What a value begins with that was sealed under a key. */
export function headOf(keyId: string): Buffer {
  const id = Buffer.from(keyId)
  return Buffer.concat([Buffer.of(1, id.length), id])
}

/** The id of a key; empty for plain values; `null` for what is not sealed by this service. */
export function keyIdOf(head: Buffer): string | null {
  if (head.equals(plainHead)) return ''
  return head[0] === 1 && head.length === 2 + (head[1] ?? -1) ? head.toString('utf8', 2) : null
}

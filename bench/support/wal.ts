import type pg from 'pg'

/** How much PostgreSQL has written to its log until now, in bytes. */
export async function walPosition(sql: Pick<pg.Pool, 'query'>): Promise<number> {
  const { rows } = await sql.query<{ at: number }>(`SELECT (pg_current_wal_lsn() - '0/0'::pg_lsn)::float8 AS at`)
  return rows[0]?.at ?? Number.NaN
}

import type { Sql } from '../../platform/database/database.js'

/** The bucket that Feishu counts a call in: app × tenant × API method. */
export async function bucketOf(
  sql: Sql,
  appId: string,
  tenantKey: string,
  api: string,
): Promise<{ id: number; epoch: string }> {
  const find = async () => {
    const text = 'SELECT id, epoch FROM buckets WHERE app_id = $1 AND tenant_key = $2 AND api = $3'
    return (await sql.query<{ id: number; epoch: string }>(text, [appId, tenantKey, api])).rows[0]
  }
  const known = await find()
  if (known) return known
  const text = 'INSERT INTO buckets (app_id, tenant_key, api) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING'
  await sql.query(text, [appId, tenantKey, api])
  const made = await find()
  if (made) return made
  throw new Error(`the bucket of ${api} cannot be read after it was made`)
}

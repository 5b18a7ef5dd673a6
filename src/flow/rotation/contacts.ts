import { openDataKey, openJson } from '../../platform/crypto/data-key.js'
import { SealError } from '../../platform/crypto/sealer.js'
import type { Database, Sql } from '../../platform/database/database.js'
import { payloadContext } from '../orders/receive.js'
import { type ContactHash, contactHashes } from '../personal-data/contacts.js'
import type { OrderToPlace } from '../vendor/adapter.js'
import { pagesOf } from './pages.js'
import type { Passed, RotationKeys, Walk } from './reseal.js'

/** Hashes of contacts cannot be turned from one key to another: they are made again from what the order was placed with. */
export async function rehashContacts(database: Database, keys: RotationKeys, walk: Walk): Promise<Passed> {
  const passed: Passed = { rotated: 0, missed: 0, closed: 0 }
  const [first = ''] = keys.ids
  const paged = {
    table: 'order_contacts',
    key: [
      { name: 'hash', type: 'bytea' },
      { name: 'background_check_id', type: 'text' },
    ],
    wanted: 'key_id <> $1',
    wants: [first],
    bytes: '0',
  }
  for await (const part of pagesOf(database.pool, paged, walk.batch)) {
    const ids = [...new Set(part.map(({ background_check_id: id = '' }) => id))]
    const done = await database.transaction((sql) => rehash(sql, keys, ids))
    passed.rotated += done.rotated
    passed.closed += done.closed
    passed.missed += done.missed
    walk.onRotated(done.rotated)
  }
  return passed
}

interface OrderRow {
  background_check_id: string
  payload_sealed: Buffer | null
  data_key: Buffer | null
}

/** Under the order's row, which erasure and whatever fills in a payload hold, too; what is held is passed over. */
async function rehash(sql: Sql, { sealer, ids: [first = ''] }: RotationKeys, ids: readonly string[]): Promise<Passed> {
  const found = await sql.query<OrderRow>(
    `SELECT background_check_id, payload_sealed, data_key FROM orders
     WHERE background_check_id = ANY($1) FOR NO KEY UPDATE SKIP LOCKED`,
    [ids],
  )
  const open = found.rows.flatMap((row) => {
    const contacts = contactsOf(
      row,
      (wrapped, id) => openDataKey(sealer, id, wrapped),
      (order) => contactHashes(sealer, order),
    )
    return contacts === null ? [] : [{ id: row.background_check_id, contacts }]
  })
  const gone = await sql.query('DELETE FROM order_contacts WHERE background_check_id = ANY($1) AND key_id <> $2', [
    open.map(({ id }) => id),
    first,
  ])
  await putContacts(sql, open)
  const closed = found.rows.length - open.length
  return { rotated: gone.rowCount ?? 0, closed, missed: ids.length - found.rows.length }
}

/** None for an order that holds nothing any more; `null` where no key opens it. */
function contactsOf(
  { background_check_id: id, payload_sealed, data_key }: OrderRow,
  open: (wrapped: Buffer, id: string) => ReturnType<typeof openDataKey>,
  hash: (order: OrderToPlace) => ContactHash[],
): ContactHash[] | null {
  if (payload_sealed === null || data_key === null) return []
  try {
    // Only receiveOrder writes this column.
    return hash(openJson(open(data_key, id), payload_sealed, payloadContext(id)) as OrderToPlace)
  } catch (failure) {
    if (failure instanceof SealError) return null
    throw failure
  }
}

/** Sorted by what is unique, as whoever writes several rows does. */
async function putContacts(
  sql: Sql,
  of: ReadonlyArray<{ id: string; contacts: readonly ContactHash[] }>,
): Promise<void> {
  const rows = of
    .flatMap(({ id, contacts }) => contacts.map((contact) => ({ id, ...contact })))
    .toSorted((one, other) => Buffer.compare(one.hash, other.hash))
  await sql.query(
    `INSERT INTO order_contacts (hash, background_check_id, kind, key_id)
     SELECT * FROM unnest($1::bytea[], $2::text[], $3::text[], $4::text[]) ON CONFLICT DO NOTHING`,
    [
      rows.map(({ hash }) => hash),
      rows.map(({ id }) => id),
      rows.map(({ kind }) => kind),
      rows.map(({ keyId }) => keyId),
    ],
  )
}

import { dataKeyContext } from '../../platform/crypto/data-key.js'
import { accountContext } from '../accounts/register.js'
import { eventContext } from '../inbox/accept.js'
import { bodyContext } from '../outbox/bodies.js'
import { ticketContext, tokenContext } from '../to-feishu/tokens-store.js'

/** A column whose values are sealed under an encryption key itself. */
export interface SealedPlace {
  table: string
  column: string
  /** The primary key, in its order: what pages go by. */
  key: ReadonlyArray<{ name: string; type: 'text' | 'bigint' | 'bytea' }>
  /** Which rows those are, where others are sealed with the key of their order. */
  only?: string
  /** Columns beside the key that the context is made of. */
  beside?: readonly string[]
  /** What a value was bound to when it was sealed; from the columns as text. */
  context(row: Readonly<Record<string, string>>): string
}

const text = (name: string) => ({ name, type: 'text' }) as const

/**
 * Everything that lies under an encryption key. What an order's own key seals (orders.payload_sealed, the bodies of its
 * deliveries, vendor_tasks.reason_sealed) is not listed: rewrapping orders.data_key is enough.
 */
export const sealedPlaces: readonly SealedPlace[] = [
  {
    table: 'orders',
    column: 'data_key',
    key: [text('background_check_id')],
    context: ({ background_check_id = '' }) => dataKeyContext(background_check_id),
  },
  {
    table: 'accounts',
    column: 'custom_fields_sealed',
    key: [text('account_id')],
    context: ({ account_id = '' }) => accountContext(account_id),
  },
  {
    table: 'events',
    column: 'payload_sealed',
    key: [{ name: 'id', type: 'bigint' }],
    beside: ['app_id', 'event_id'],
    context: ({ app_id = '', event_id = '' }) => eventContext(app_id, event_id),
  },
  {
    table: 'deliveries',
    column: 'body_sealed',
    key: [{ name: 'id', type: 'bigint' }],
    only: 'background_check_id IS NULL',
    beside: ['lane'],
    context: ({ lane = '' }) => bodyContext(lane),
  },
  {
    table: 'feishu_tokens',
    column: 'token',
    key: [text('app_id'), text('tenant_key')],
    context: ({ app_id = '', tenant_key = '' }) => tokenContext({ appId: app_id, tenantKey: tenant_key }),
  },
  {
    table: 'app_tickets',
    column: 'ticket',
    key: [text('app_id')],
    context: ({ app_id = '' }) => ticketContext(app_id),
  },
  {
    table: 'idempotency_keys',
    column: 'answer_sealed',
    key: [{ name: 'hash', type: 'bytea' }],
    // As operate/api/idempotency.ts has it; as text a hash begins with \\x.
    context: ({ hash = '' }) => `idempotency:${hash.slice(2)}`,
  },
]

export const nameOf = ({ table, column }: Pick<SealedPlace, 'table' | 'column'>): string => `${table}.${column}`

/** Hashes of contacts are no sealed values: each row names its key. */
export const contactsName = 'order_contacts.hash'

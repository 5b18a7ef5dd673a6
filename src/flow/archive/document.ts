/**
 * What the archive keeps of an order: the order with its timeline and deliveries, as /v1 shows them, and beside them its
 * findings and the events that failed or were ignored. Nothing that was sealed is read; `request` is null, as of any
 * order that was erased.
 *
 * `o` is a row of `orders`.
 */
const time = (column: string) => `to_char(${column} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`

/** A member that is there where the value is. */
const given = (name: string, value: string, shown = value) =>
  `CASE WHEN ${value} IS NULL THEN '{}' ELSE jsonb_build_object('${name}', ${shown}) END`

const listOf = (item: string, from: string, order: string) =>
  `coalesce((SELECT jsonb_agg(${item} ORDER BY ${order}) FROM ${from}.background_check_id = o.background_check_id), '[]')`

const lastError = `jsonb_build_object('code', d.last_error->'code', 'http_status', d.last_error->'http_status',
  'log_id', d.last_error->'log_id', 'class', coalesce(nullif(d.last_error->'class', 'null'), to_jsonb(d.dead_class)),
  'reason', coalesce(d.last_error->>'reason', ''))`

const delivery = `jsonb_build_object('id', d.id::text, 'api', d.api, 'app_id', d.app_id, 'tenant_key', d.tenant_key,
  'background_check_id', d.background_check_id, 'state', d.state, 'confirmed', d.confirmed, 'attempts', d.attempts,
  'request', NULL, 'created_at', ${time('d.created_at')})
  || ${given('class', 'd.dead_class')} || ${given('last_error', 'd.last_error', lastError)}
  || CASE WHEN d.state = 'delivered' THEN ${given('delivered_at', 'd.settled_at', time('d.settled_at'))} ELSE '{}' END`

const entry = `jsonb_build_object('at', ${time('t.at')}, 'kind', t.kind, 'detail', t.detail)`

const finding = `jsonb_build_object('id', f.id::text, 'kind', f.kind, 'subject', f.subject, 'state', f.state,
  'found_at', ${time('f.found_at')}, 'settled_at', ${time('f.settled_at')}, 'detail', f.detail)`

const event = `jsonb_build_object('id', e.id::text, 'event_id', e.event_id, 'type', e.type, 'state', e.state,
  'received_at', ${time('e.received_at')})`

export const documentSql = `jsonb_build_object('background_check_id', o.background_check_id, 'app_id', o.app_id,
  'tenant_key', o.tenant_key, 'account_id', o.account_id, 'package_id', o.package_id, 'vendor_order_id', o.vendor_order_id,
  'state', o.state, 'attention', o.attention, 'next_poll_at', NULL, 'created_at', ${time('o.created_at')},
  'updated_at', ${time('o.updated_at')}, 'erased_at', ${time('o.erased_at')},
  'timeline', ${listOf(entry, 'timeline t WHERE t', 't.id')},
  'deliveries', ${listOf(delivery, 'deliveries d WHERE d', 'd.seq, d.id')},
  'findings', ${listOf(finding, 'findings f WHERE f', 'f.id')},
  'events', ${listOf(event, 'events e WHERE e', 'e.id')})`

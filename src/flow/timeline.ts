import type { Sql } from '../platform/database/database.js'

/** What a timeline can tell about an order; docs/api.md explains each kind. Only ever added to. */
export const timelineKinds = [
  'received',
  'imported',
  'canceled_before_created',
  'canceled_by_customer',
  'canceled_by_operator',
  'placed',
  'place_refused',
  'place_given_up',
  'place_again',
  'vendor_canceled',
  'vendor_cancel_refused',
  'vendor_cancel_given_up',
  'several_vendor_orders',
  'stage_seen',
  'stage_replaced',
  'stage_changed_after_sent',
  'stage_after_end',
  'result_seen',
  'result_replaced',
  'result_withdrawn',
  'result_changed_after_sent',
  'result_withdrawn_after_sent',
  'cancel_withdrawn_after_sent',
  'vendor_stopped',
  'result_left_out',
  'value_shortened',
  'report_left_out',
  'time_corrected',
  'stage_repeated',
  'unknown_to_vendor',
  'poll_refused',
  'foreign_order',
  'stages_left_out',
  'delivered',
  'held_for_approval',
  'approved',
  'dead',
  'superseded',
  'revived',
  'resend_wanted',
  'resent',
  'resend_dropped',
  'found_in_feishu',
  'missing_in_feishu',
  'terminated_in_feishu',
  'restored',
  'erased',
] as const

export type TimelineKind = (typeof timelineKinds)[number]

/** `detail` holds ids, names of fields and codes, never a person's data, a result or a link. */
export interface TimelineNote {
  kind: TimelineKind
  detail?: Record<string, string | number | boolean>
}

export interface TimelineEntry extends TimelineNote {
  backgroundCheckId: string
}

export async function addToTimeline(sql: Sql, entries: readonly TimelineEntry[]): Promise<void> {
  if (entries.length === 0) return
  await sql.query({
    name: 'add-to-timeline',
    text: `INSERT INTO timeline (background_check_id, kind, detail)
     SELECT * FROM unnest($1::text[], $2::text[], $3::jsonb[])`,
    values: [
      entries.map((entry) => entry.backgroundCheckId),
      entries.map((entry) => entry.kind),
      entries.map((entry) => JSON.stringify(entry.detail ?? {})),
    ],
  })
}

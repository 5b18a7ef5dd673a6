/**
 * What a backup holds. Every table of the schema stands here, with those of earlier releases; a test compares the two.
 *
 * Facts are what happened and cannot be found out again: a database that has any is not empty.
 */
export const facts = [
  'seen_events',
  'events',
  'tenants',
  'accounts',
  'orders',
  'order_contacts',
  'archived_orders',
  'archived_checks',
  'timeline',
  'catalogs',
  'account_field_sets',
  'agreements',
  'agreement_creations',
  'findings',
  'vendor_tasks',
  'poll_schedule',
  'lanes',
  'deliveries',
  'restores',
  'audit',
] as const

/** What a service on an empty database writes by itself: a restore replaces it. */
export const notes = [
  'app_tickets',
  'sweeps',
  'vendor_nudges',
  'vendor_feeds',
  'buckets',
  'holds',
  'idempotency_keys',
  'call_minutes',
  'encryption_keys',
  'alerts',
] as const

/** Partitioned by month (src/platform/database/months.ts). */
export const byMonth: readonly string[] = ['archived_orders']

/** What is of one process or one day, and would only mislead: who runs, and tokens that Feishu gives anew. */
export const leftOut = ['process_leases', 'feishu_tokens'] as const

export const kept: readonly string[] = [...facts, ...notes]
export const ours: readonly string[] = [...kept, ...leftOut]

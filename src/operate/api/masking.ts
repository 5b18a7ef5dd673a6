/**
 * Bodies for Feishu as somebody without the scope `reveal` sees them: ids, times and types stay, every other text is
 * masked, whatever its key. Numbers and truth values that Feishu takes are types and times.
 */
export const mask = '[masked]'

const kept = new Set([
  'background_check_id',
  'stage_id',
  'stage_time',
  'result_time',
  'report_url_type',
  'account_id',
  'package_id',
  'id',
  'key',
  'type',
  'create_time',
  'modify_time',
  'application_id',
  'tripartite_agreement_id',
  'tenant_id',
])

export function masked(value: unknown, name = ''): unknown {
  if (typeof value === 'string') return kept.has(name) ? value : mask
  if (Array.isArray(value)) return value.map((each) => masked(each, name))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, masked(inner, key)]))
}

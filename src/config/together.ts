import type { Complain, Environment } from './read-values.js'
import { type Values, variables } from './variables.js'

/** The first of each pair may not be greater than the second. A value that was refused before is not compared. */
const pairs = [
  ['VENDOR_POLL_MIN_MS', 'VENDOR_POLL_MAX_MS'],
  ['FEISHU_RETRY_BASE_MS', 'FEISHU_RETRY_MAX_MS'],
] as const

/** Values that are good by themselves and do not go together. */
export function checkTogether(env: Environment, values: Values, unset: ReadonlySet<string>, complain: Complain): void {
  if (env.NODE_ENV === 'production' && values.BGC_ENCRYPTION_KEYS?.length === 0) {
    complain(`BGC_ENCRYPTION_KEYS: required ${variables.BGC_ENCRYPTION_KEYS.required}`)
  }
  if (values.BGC_REPORT_LINKS === 'proxy' && unset.has('BGC_PUBLIC_URL')) {
    complain('BGC_PUBLIC_URL: required when BGC_REPORT_LINKS=proxy')
  }
  if (unset.has('BGC_ALERT_WEBHOOK_URL') && !unset.has('BGC_ALERT_WEBHOOK_SECRET')) {
    complain('BGC_ALERT_WEBHOOK_SECRET: expected BGC_ALERT_WEBHOOK_URL beside it')
  }
  for (const [least, most] of pairs) {
    if (values[least] > values[most]) complain(`${least}: expected no more than ${most}`)
  }
  if (values.BGC_DRAIN_MS !== undefined && values.BGC_DRAIN_MS > values.BGC_STOP_TIMEOUT_MS) {
    complain('BGC_DRAIN_MS: expected no more than BGC_STOP_TIMEOUT_MS')
  }
  if (values.BGC_INTERNAL_PORT && values.PORT === values.BGC_INTERNAL_PORT) {
    complain('BGC_INTERNAL_PORT: expected another port than PORT')
  }
}

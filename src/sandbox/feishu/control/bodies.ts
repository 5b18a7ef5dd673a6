import { z } from 'zod'
import { plannedFault } from '../../support/fault-schema.js'
import { httpUrl } from '../../support/http-url.js'
import { apis } from '../apis.js'

const inTenant = { appId: z.string(), tenantKey: z.string() }
const pairs = z.array(z.strictObject({ key: z.string(), value: z.string() })).optional()
const person = z
  .strictObject({
    name: z.string().optional(),
    first_name: z.string().optional(),
    last_name: z.string().optional(),
    email: z.string().optional(),
    mobile: z.strictObject({ code: z.string(), number: z.string() }).optional(),
  })
  .optional()
export const accountBody = z.strictObject({
  ...inTenant,
  accountName: z.string().optional(),
  scope: z.union([z.literal(1), z.literal(2)]).optional(),
  usageList: z.array(z.int()).optional(),
  customFields: pairs,
  accountId: z.string().optional(),
})
export const orderBody = z.strictObject({
  ...inTenant,
  accountId: z.string(),
  packageId: z.string().optional(),
  additionalItemIds: z.array(z.string()).optional(),
  comment: z.string().optional(),
  candidate: person,
  contact: person,
  customFields: pairs,
  applicationId: z.string().optional(),
  backgroundCheckId: z.string().optional(),
})
export const applicationBody = z.strictObject({
  tenantKey: z.string(),
  applicationId: z.string(),
  campus: z.boolean().optional(),
  mainlandChina: z.boolean().optional(),
})
export const reasonBody = z.strictObject({ reason: z.string().optional() })
export const decisionBody = z.strictObject({ decision: z.enum(['approve', 'reject', 'withdraw']) })
export const copiesBody = z.strictObject({ copies: z.int().min(1).max(1000).optional() })
export const appBody = z.strictObject({ appId: z.string() })
export const eventUrlBody = z.strictObject({ appId: z.string(), url: httpUrl })
export const lifeCycleBody = z.strictObject({
  ...inTenant,
  lifeCycle: z.discriminatedUnion('type', [
    z.strictObject({ type: z.literal('app_open') }),
    z.strictObject({ type: z.literal('app_uninstalled') }),
    z.strictObject({
      type: z.literal('app_status_change'),
      status: z.enum(['start_by_tenant', 'stop_by_tenant', 'stop_by_platform']),
    }),
  ]),
})
const faultMatch = z.strictObject({
  api: z.enum(apis.map((api) => api.name)).optional(),
  appId: z.string().optional(),
  tenantKey: z.string().optional(),
  backgroundCheckId: z.string().optional(),
})
export const faultBody = plannedFault(faultMatch)
export const revokeBody = z.strictObject({ appId: z.string().optional(), tenantKey: z.string().optional() })

/** For the examples: what `bgc sandbox` has. */
export const sampleTenant = { appId: 'cli_sandbox0000001', tenantKey: 'tk_sandbox_01' }

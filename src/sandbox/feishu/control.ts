import { z } from 'zod'
import { type Control, type ControlRoute, startControl, withBody } from '../support/control.js'
import { defined } from '../support/defined.js'
import { faultAction } from '../support/fault-schema.js'
import { apis } from './apis.js'
import type { SandboxFeishu } from './server.js'
import { type Switches, switchVariants } from './switches.js'

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
const accountBody = z.strictObject({
  ...inTenant,
  accountName: z.string().optional(),
  scope: z.union([z.literal(1), z.literal(2)]).optional(),
  usageList: z.array(z.int()).optional(),
  customFields: pairs,
  accountId: z.string().optional(),
})
const orderBody = z.strictObject({
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
const applicationBody = z.strictObject({
  tenantKey: z.string(),
  applicationId: z.string(),
  campus: z.boolean().optional(),
  mainlandChina: z.boolean().optional(),
})
const reasonBody = z.strictObject({ reason: z.string().optional() })
const decisionBody = z.strictObject({ decision: z.enum(['approve', 'reject', 'withdraw']) })
const copiesBody = z.strictObject({ copies: z.int().min(1).max(1000).optional() })
const appBody = z.strictObject({ appId: z.string() })
const eventUrlBody = z.strictObject({ appId: z.string(), url: z.url() })
const lifeCycleBody = z.strictObject({
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
const faultBody = z.strictObject({
  match: z
    .strictObject({
      api: z.enum(apis.map((api) => api.name)).optional(),
      appId: z.string().optional(),
      tenantKey: z.string().optional(),
      backgroundCheckId: z.string().optional(),
    })
    .optional(),
  action: faultAction,
  times: z.union([z.int().min(1), z.literal('always')]).optional(),
  forMs: z.number().optional(),
})
const revokeBody = z.strictObject({ appId: z.string().optional(), tenantKey: z.string().optional() })

const sampleTenant = { appId: 'cli_sandbox0000001', tenantKey: 'tk_sandbox_01' }

/** What can be asked of the sandbox Feishu over HTTP. */
export function feishuControl(feishu: () => SandboxFeishu): Control {
  return startControl([...userRoutes(feishu), ...eventRoutes(feishu), ...insideRoutes(feishu)])
}

function userRoutes(feishu: () => SandboxFeishu): ControlRoute[] {
  const id = (params: Record<string, string>) => params.id ?? ''
  return [
    {
      method: 'GET',
      path: '/accounts',
      does: 'lists the accounts with their catalogs',
      run: () => ({ accounts: feishu().accounts() }),
    },
    {
      method: 'POST',
      path: '/accounts',
      does: 'a customer adds an account of the vendor',
      example: { ...sampleTenant, customFields: [{ key: 'vendor_org_id', value: 'ORG-88231' }] },
      run: withBody(accountBody, ({ body }) => feishu().createAccount(defined(body))),
    },
    { method: 'GET', path: '/orders', does: 'lists the orders', run: () => ({ orders: feishu().orders() }) },
    {
      method: 'POST',
      path: '/orders',
      does: 'a customer orders a background check',
      example: { ...sampleTenant, accountId: '7400000000000000101', packageId: 'pkg-std-01' },
      run: withBody(orderBody, ({ body }) => feishu().createOrder(defined(body))),
    },
    {
      method: 'GET',
      path: '/orders/:id',
      does: 'shows an order with its stages and result',
      run: ({ params, query }) => feishu().order(id(params), query.tenantKey),
    },
    {
      method: 'GET',
      path: '/orders/:id/reports',
      does: 'reads the PDFs of an order by the links that it got',
      run: async ({ params, query }) => ({
        reports: (await feishu().readReports(id(params), query.tenantKey)).map(({ file, ...read }) => ({
          ...read,
          bytes: file?.length ?? 0,
        })),
      }),
    },
    {
      method: 'POST',
      path: '/orders/:id/cancel',
      does: 'the customer stops a check',
      example: { reason: 'candidate withdrew' },
      run: withBody(reasonBody, ({ body, params }) => feishu().cancelOrder(id(params), defined(body))),
    },
    {
      method: 'POST',
      path: '/orders/:id/approval',
      does: 'an administrator decides on a report: approve, reject or withdraw',
      example: { decision: 'approve' },
      run: withBody(decisionBody, ({ body, params }) => {
        feishu()[body.decision](id(params))
        return feishu().order(id(params))
      }),
    },
    {
      method: 'POST',
      path: '/applications',
      does: 'makes an application, for tripartite agreements',
      example: { tenantKey: sampleTenant.tenantKey, applicationId: '7400000000000000401' },
      run: withBody(applicationBody, ({ body }) => feishu().addApplication(defined(body))),
    },
    {
      method: 'GET',
      path: '/agreements',
      does: 'lists tripartite agreements',
      run: () => ({ agreements: feishu().agreements() }),
    },
  ]
}

function eventRoutes(feishu: () => SandboxFeishu): ControlRoute[] {
  return [
    {
      method: 'GET',
      path: '/events',
      does: 'lists events with every attempt to deliver them',
      run: () => ({ events: feishu().events() }),
    },
    {
      method: 'POST',
      path: '/events/:id/redeliver',
      does: 'delivers an event again, several times at once if asked',
      example: { copies: 3 },
      run: withBody(copiesBody, async ({ body, params }) => ({
        attempts: await feishu().sendCopies(params.id ?? '', body.copies ?? 1),
      })),
    },
    {
      method: 'PUT',
      path: '/event-url',
      does: "sets an app's request URL",
      example: { appId: sampleTenant.appId, url: 'http://127.0.0.1:3000/webhooks/feishu/cli_sandbox0000001/events' },
      run: withBody(eventUrlBody, ({ body }) => feishu().setEventUrl(body.appId, body.url)),
    },
    {
      method: 'POST',
      path: '/verify-url',
      does: 'checks the request URL as saving it does',
      example: { appId: sampleTenant.appId },
      run: withBody(appBody, ({ body }) => feishu().verifyUrl(body.appId)),
    },
    {
      method: 'POST',
      path: '/app-ticket',
      does: 'pushes an app_ticket to a store app',
      example: { appId: sampleTenant.appId },
      run: withBody(appBody, ({ body }) => feishu().sendAppTicket(body.appId)),
    },
    {
      method: 'POST',
      path: '/life-cycle',
      does: 'a tenant opens, stops, starts or uninstalls the app',
      example: { ...sampleTenant, lifeCycle: { type: 'app_status_change', status: 'stop_by_tenant' } },
      run: withBody(lifeCycleBody, ({ body }) => feishu().sendLifeCycle(body.appId, body.tenantKey, body.lifeCycle)),
    },
  ]
}

function insideRoutes(feishu: () => SandboxFeishu): ControlRoute[] {
  return [
    {
      method: 'GET',
      path: '/calls',
      does: 'the journal of calls; ?api= ?tenantKey= ?backgroundCheckId=',
      run: ({ query }) => ({ calls: feishu().calls(query) }),
    },
    {
      method: 'GET',
      path: '/promises',
      does: 'what the journal shows to be broken, and the worst windows',
      run: () => ({ violations: feishu().checkPromises(), worstWindows: feishu().worstWindows() }),
    },
    {
      method: 'GET',
      path: '/switches',
      does: 'the switches and their values',
      run: () => ({ now: feishu().switches(), variants: switchVariants }),
    },
    {
      method: 'PATCH',
      path: '/switches',
      does: 'changes switches',
      example: { rateLimitStatus: 400, cancelEcho: true },
      run: ({ body }) => {
        feishu().setSwitches(body as Partial<Switches>)
        return feishu().switches()
      },
    },
    { method: 'GET', path: '/faults', does: 'lists planned faults', run: () => ({ faults: feishu().faults() }) },
    {
      method: 'POST',
      path: '/faults',
      does: 'plans a fault',
      example: { match: { api: 'update_progress' }, action: { kind: 'reset', apply: true }, times: 1 },
      run: withBody(faultBody, ({ body }) => ({ id: feishu().addFault(defined(body)) })),
    },
    { method: 'DELETE', path: '/faults', does: 'takes back all faults', run: () => feishu().clearFaults() },
    {
      method: 'POST',
      path: '/tokens/revoke',
      does: 'kills tokens before their time',
      example: sampleTenant,
      run: withBody(revokeBody, ({ body }) => ({ revoked: feishu().revokeTokens(defined(body)) })),
    },
  ]
}

import { z } from 'zod'
import { type Control, startControl, withBody } from '../support/control.js'
import { defined } from '../support/defined.js'
import { plannedFault } from '../support/fault-schema.js'
import { httpUrl } from '../support/http-url.js'
import type { SandboxVendor } from './server.js'

const report = z.strictObject({
  name: z.string(),
  url: z.string().optional(),
  type: z.union([z.literal(1), z.literal(2)]).optional(),
})
const stage = z.strictObject({
  id: z.string().optional(),
  name: z.string(),
  en_name: z.string().optional(),
  time: z.number().optional(),
  result: z.string().optional(),
  reports: z.array(report).optional(),
})
const result = z.strictObject({
  result: z.string().optional(),
  time: z.number().optional(),
  reports: z.array(report).optional(),
})
const heldReport = report.extend({ url: z.string() })
const heldStage = stage.extend({ id: z.string(), time: z.number(), reports: z.array(heldReport).optional() })
const heldResult = z.strictObject({ result: z.string(), time: z.number(), reports: z.array(heldReport).optional() })
/** As orders have them: nothing is filled in. */
const orderChanges = z.strictObject({
  status: z.enum(['pending', 'in_progress', 'completed', 'canceled']).optional(),
  stages: z.array(heldStage).optional(),
  result: heldResult.optional(),
})
const match = z.strictObject({
  operation: z.string().optional(),
  orderId: z.string().optional(),
  backgroundCheckId: z.string().optional(),
})
const fault = plannedFault(match)
const capabilities = z.union([
  z.strictObject({ none: z.literal(true) }),
  z.strictObject({
    batch: z.boolean().optional(),
    changes: z.boolean().optional(),
    tripartite: z.boolean().optional(),
  }),
])
const agreement = z.strictObject({ id: z.string(), tenant_key: z.string(), state: z.int(), modify_time: z.number() })
const notify = z.strictObject({ url: httpUrl, key: z.string() })

/** What can be asked of the sandbox vendor over HTTP; `:id` is the vendor's id or the background check's. */
export function vendorControl(vendor: () => SandboxVendor): Control {
  const id = (params: Record<string, string>) => params.id ?? ''
  return startControl([
    { method: 'GET', path: '/orders', does: 'lists the orders', run: () => ({ orders: vendor().orders() }) },
    { method: 'GET', path: '/orders/:id', does: 'shows an order', run: ({ params }) => vendor().order(id(params)) },
    {
      method: 'POST',
      path: '/orders/:id/advance',
      does: 'takes the next step of the script',
      run: ({ params }) => ({ stepped: vendor().advance(id(params)), order: vendor().order(id(params)) }),
    },
    {
      method: 'POST',
      path: '/orders/:id/stages',
      does: 'adds a stage',
      example: {
        name: '学历核实完成',
        en_name: 'Education verified',
        result: '绿灯',
        reports: [{ name: 'stage.pdf' }],
      },
      run: withBody(stage, ({ body, params }) => vendor().addStage(id(params), defined(body))),
    },
    {
      method: 'POST',
      path: '/orders/:id/complete',
      does: 'completes an order',
      example: { result: '绿灯', reports: [{ name: 'final.pdf' }] },
      run: withBody(result, ({ body, params }) => vendor().complete(id(params), defined(body))),
    },
    {
      method: 'POST',
      path: '/orders/:id/stop',
      does: 'the vendor gives up the check',
      run: ({ params }) => {
        vendor().stopOrder(id(params))
        return vendor().order(id(params))
      },
    },
    {
      method: 'PATCH',
      path: '/orders/:id',
      does: 'changes status, stages or result at will',
      example: { status: 'in_progress', stages: [] },
      run: withBody(orderChanges, ({ body, params }) => vendor().setOrder(id(params), defined(body))),
    },
    { method: 'GET', path: '/accounts', does: 'lists the customers', run: () => ({ accounts: vendor().accounts() }) },
    {
      method: 'POST',
      path: '/accounts/:id/confirm',
      does: 'confirms an account that waits',
      run: ({ params }) => vendor().confirmAccount(id(params)),
    },
    {
      method: 'PUT',
      path: '/agreements',
      does: 'sets a tripartite agreement',
      example: { id: '7400000000000000301', tenant_key: 'tk_sandbox_01', state: 3, modify_time: 1767315600000 },
      run: withBody(agreement, ({ body }) => vendor().setAgreement(body)),
    },
    {
      method: 'PUT',
      path: '/capabilities',
      does: 'switches capabilities; {"none":true} makes GET /capabilities answer 404',
      example: { batch: true, changes: false },
      run: withBody(capabilities, ({ body }) => vendor().setCapabilities('none' in body ? 'none' : defined(body))),
    },
    {
      method: 'POST',
      path: '/report-links/expire',
      does: 'every link to a report answers 403 until an answer names it anew, where links rotate',
      run: () => vendor().expireReportLinks(),
    },
    { method: 'POST', path: '/cursors/forget', does: 'every cursor answers 410', run: () => vendor().forgetCursors() },
    {
      method: 'PUT',
      path: '/notify',
      does: 'nudges the service after each change',
      example: { url: 'http://127.0.0.1:3000', key: 'a key with the scope notify' },
      run: withBody(notify, ({ body }) => vendor().setNotify(body)),
    },
    {
      method: 'GET',
      path: '/calls',
      does: 'the journal; ?operation= ?orderId= ?backgroundCheckId=',
      run: ({ query }) => ({ calls: vendor().calls(query) }),
    },
    { method: 'GET', path: '/faults', does: 'lists planned faults', run: () => ({ faults: vendor().faults() }) },
    {
      method: 'POST',
      path: '/faults',
      does: 'plans a fault',
      example: { match: { operation: 'orders.create' }, action: { kind: 'reset', apply: true }, times: 1 },
      run: withBody(fault, ({ body }) => ({ id: vendor().addFault(defined(body)) })),
    },
    { method: 'DELETE', path: '/faults', does: 'takes back all faults', run: () => vendor().clearFaults() },
  ])
}

import { type ControlRoute, withBody } from '../../support/control.js'
import { defined } from '../../support/defined.js'
import type { SandboxFeishu } from '../server.js'
import { accountBody, applicationBody, decisionBody, orderBody, reasonBody, sampleTenant } from './bodies.js'

/** What a customer and its administrators do in Feishu Hire, and what they see there. */
export function customerRoutes(feishu: () => SandboxFeishu): ControlRoute[] {
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

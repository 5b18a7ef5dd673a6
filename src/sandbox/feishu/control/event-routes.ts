import { type ControlRoute, withBody } from '../../support/control.js'
import type { SandboxFeishu } from '../server.js'
import { appBody, copiesBody, eventUrlBody, lifeCycleBody, sampleTenant } from './bodies.js'

/** Events: where they go, which were sent, and those that Feishu sends by itself. */
export function eventRoutes(feishu: () => SandboxFeishu): ControlRoute[] {
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

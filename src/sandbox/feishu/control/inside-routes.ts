import { type ControlRoute, withBody } from '../../support/control.js'
import { defined } from '../../support/defined.js'
import type { SandboxFeishu } from '../server.js'
import { type Switches, switchVariants } from '../switches.js'
import { faultBody, revokeBody, sampleTenant } from './bodies.js'

/** What no customer sees: the journal, the switches, faults and tokens. */
export function insideRoutes(feishu: () => SandboxFeishu): ControlRoute[] {
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
        // Names and values that do not exist are refused there.
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

import type { Fault, FeishuCall, LifeCycle } from '../index.js'
import type { CustomerId } from './lives.js'

/** What goes wrong for everyone while the lives are played. */
export interface Incident {
  /** Milliseconds after the first order. */
  atMs: number
  says: string
  /** Everything that the vendor, or Feishu for one customer, is asked goes wrong. */
  vendor?: Pick<Fault<unknown>, 'action' | 'times' | 'forMs'>
  feishu?: Pick<Fault<FeishuCall>, 'action' | 'times' | 'forMs'> & { customer: CustomerId; api?: 'update_progress' }
  lifeCycle?: { customer: CustomerId; change: LifeCycle }
  /** Feishu forgets every token before its time. */
  revokesTokens?: true
}

export const incidents: readonly Incident[] = [
  {
    atMs: 2500,
    says: 'the vendor answers 500 to everything for 1.5 s',
    vendor: { action: { kind: 'server_error' }, forMs: 1500 },
  },
  {
    atMs: 6500,
    says: 'Feishu limits the stages of 晨星科技: 429, come back in 2 s',
    feishu: { customer: 'dawn', api: 'update_progress', action: { kind: 'rate_limited', resetSeconds: 2 }, times: 1 },
  },
  {
    atMs: 10_000,
    says: '晨星科技 disables the app: what is for it waits',
    lifeCycle: { customer: 'dawn', change: { type: 'app_status_change', status: 'stop_by_tenant' } },
  },
  {
    atMs: 12_000,
    says: '晨星科技 enables the app again',
    lifeCycle: { customer: 'dawn', change: { type: 'app_status_change', status: 'start_by_tenant' } },
  },
  {
    atMs: 13_500,
    says: 'Feishu answers 500 to 海桥集团 for 1.5 s',
    feishu: { customer: 'bridge', action: { kind: 'server_error' }, forMs: 1500 },
  },
  { atMs: 15_500, says: 'Feishu forgets all tokens', revokesTokens: true },
]

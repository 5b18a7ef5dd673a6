import type { Fault, FeishuCall, Script, Step } from '../index.js'

/*
 * What the demo plays: two customers and the lives of their 24 orders. All people are made up; times are milliseconds.
 */
export interface Customer {
  name: string
  tenantKey: string
  /** Through the store's app, which has many tenants, or one that is the customer's own. */
  app: 'store' | 'custom'
  /** Results wait for an administrator of the customer. */
  reportApproval: boolean
}

export const customers = {
  dawn: { name: '晨星科技', tenantKey: 'tk_demo_dawn', app: 'store', reportApproval: false },
  bridge: { name: '海桥集团', tenantKey: 'tk_demo_bridge', app: 'custom', reportApproval: true },
} as const satisfies Record<string, Customer>

export type CustomerId = keyof typeof customers
export type Ending = 'completed' | 'canceled by customer' | 'stopped by vendor'

export interface Life {
  customer: CustomerId
  candidate: string
  /** What is special about it, in words that fit into the table. */
  about: string
  /** What the vendor does with it. */
  vendor: Script
  ends: Ending
  /** The customer stops it: at once, before its own order event arrives, or after so many stages were seen in Feishu. */
  canceled?: 'at once' | 'before it is ordered' | { afterStages: number }
  /** How often its event comes at the same moment; every event comes once more later. */
  copies?: number
  /** What Feishu does wrong with calls for this order. */
  feishuFaults?: ReadonlyArray<
    Pick<Fault<FeishuCall>, 'action' | 'times'> & { api: 'update_progress' | 'update_result' | 'cancel' }
  >
  /** What the vendor does wrong when this order is placed or canceled. */
  vendorFaults?: ReadonlyArray<
    Pick<Fault<unknown>, 'action' | 'times'> & { operation: 'orders.create' | 'orders.cancel' }
  >
}

/** One order comes this long after the one before. */
export const orderEveryMs = 300
/** An administrator takes this long to approve a report. */
export const approveAfterMs = 1200

const paceMs = 2200
const steps = [
  { name: '身份核验', en_name: 'Identity verified' },
  { name: '学历核实', en_name: 'Education verified' },
  { name: '工作履历核实', en_name: 'Employment verified' },
  { name: '诉讼记录核查', en_name: 'Court records searched' },
  { name: '金融风险核查', en_name: 'Financial risks searched' },
  { name: '证明人访谈', en_name: 'References interviewed' },
]

function stages(count: number, everyMs = paceMs): Step[] {
  return steps.slice(0, count).map((stage, at) => ({ afterMs: everyMs, stage: { id: `step-${at + 1}`, ...stage } }))
}

function stagesWithReports(count: number): Step[] {
  return steps.slice(0, count).map((stage, at) => ({
    afterMs: paceMs,
    stage: { id: `step-${at + 1}`, ...stage, result: '绿灯', reports: [{ name: `${stage.en_name}.pdf` }] },
  }))
}

const result: Step = { afterMs: paceMs, result: { result: '无差异', reports: [{ name: 'final.pdf' }] } }
const givenUp: Step = { afterMs: paceMs, canceled: true }
/** Of an order that the customer cancels: however long the cancel takes to get through, the vendor is not done before. */
const wouldTakeLong: Step = { ...result, afterMs: 600_000 }

export const lives: readonly Life[] = [
  { customer: 'dawn', candidate: '林晓', about: 'plain', vendor: [...stages(3), result], ends: 'completed' },
  {
    customer: 'bridge',
    candidate: '陈默',
    about: 'its report is approved',
    vendor: [...stages(3), result],
    ends: 'completed',
  },
  {
    customer: 'dawn',
    candidate: '王一诺',
    about: 'a report with each stage',
    vendor: [...stagesWithReports(4), result],
    ends: 'completed',
  },
  {
    customer: 'dawn',
    candidate: '赵子涵',
    about: 'its event comes 5 times',
    vendor: [...stages(3), result],
    ends: 'completed',
    copies: 4,
  },
  {
    customer: 'bridge',
    candidate: '孙悦',
    about: 'vendor: 500 twice at order',
    vendor: [...stages(2), result],
    ends: 'completed',
    vendorFaults: [{ operation: 'orders.create', action: { kind: 'server_error' }, times: 2 }],
  },
  {
    customer: 'dawn',
    candidate: '周然',
    about: 'canceled at once',
    vendor: [...stages(3), wouldTakeLong],
    ends: 'canceled by customer',
    canceled: 'at once',
  },
  {
    customer: 'dawn',
    candidate: '吴桐',
    about: 'Feishu loses a yes',
    vendor: [...stages(4), result],
    ends: 'completed',
    feishuFaults: [{ api: 'update_progress', action: { kind: 'reset', apply: true } }],
  },
  {
    customer: 'bridge',
    candidate: 'Grace Lee',
    about: 'vendor loses its answer',
    vendor: [...stages(3), result],
    ends: 'completed',
    vendorFaults: [{ operation: 'orders.create', action: { kind: 'reset', apply: true } }],
  },
  { customer: 'dawn', candidate: '郑好', about: 'six stages', vendor: [...stages(6, 1600), result], ends: 'completed' },
  {
    customer: 'dawn',
    candidate: '冯远',
    about: 'canceled before it came',
    vendor: [...stages(3), wouldTakeLong],
    ends: 'canceled by customer',
    canceled: 'before it is ordered',
  },
  {
    customer: 'bridge',
    candidate: '欧阳若曦',
    about: 'a report with each stage',
    vendor: [...stagesWithReports(3), result],
    ends: 'completed',
  },
  {
    customer: 'dawn',
    candidate: '褚宁',
    about: 'the vendor gives up',
    vendor: [...stages(2), givenUp],
    ends: 'stopped by vendor',
  },
  {
    customer: 'dawn',
    candidate: '卫青山',
    about: 'Feishu says 500, took it',
    vendor: [...stages(3), result],
    ends: 'completed',
    feishuFaults: [{ api: 'update_result', action: { kind: 'server_error', apply: true } }],
  },
  {
    customer: 'bridge',
    candidate: '蒋小满',
    about: 'a yes lost while approving',
    vendor: [...stages(2), result],
    ends: 'completed',
    feishuFaults: [{ api: 'update_result', action: { kind: 'reset', apply: true } }],
  },
  {
    customer: 'dawn',
    candidate: '沈之恒',
    about: 'canceled after 2 stages',
    vendor: [...stages(6), wouldTakeLong],
    ends: 'canceled by customer',
    canceled: { afterStages: 2 },
  },
  {
    customer: 'bridge',
    candidate: '韩雪',
    about: 'its token is refused',
    vendor: [...stages(3), result],
    ends: 'completed',
    feishuFaults: [{ api: 'update_progress', action: { kind: 'token_expired' } }],
  },
  {
    customer: 'dawn',
    candidate: 'Tom Becker',
    about: 'Feishu hangs, took it',
    vendor: [...stages(3), result],
    ends: 'completed',
    feishuFaults: [{ api: 'update_progress', action: { kind: 'hang', apply: true } }],
  },
  {
    customer: 'bridge',
    candidate: '杨帆',
    about: 'vendor gives up, yes lost',
    vendor: [...stages(1), givenUp],
    ends: 'stopped by vendor',
    feishuFaults: [{ api: 'cancel', action: { kind: 'reset', apply: true } }],
  },
  { customer: 'dawn', candidate: '朱莉', about: 'no stages at all', vendor: [result], ends: 'completed' },
  {
    customer: 'bridge',
    candidate: '秦朗',
    about: 'canceled late, vendor: 500',
    vendor: [...stages(6), wouldTakeLong],
    ends: 'canceled by customer',
    canceled: { afterStages: 3 },
    vendorFaults: [{ operation: 'orders.cancel', action: { kind: 'server_error' }, times: 2 }],
  },
  {
    customer: 'dawn',
    candidate: '许愿',
    about: 'vendor hangs at order',
    vendor: [...stages(2), result],
    ends: 'completed',
    vendorFaults: [{ operation: 'orders.create', action: { kind: 'hang', apply: true } }],
  },
  {
    customer: 'bridge',
    candidate: '何夕',
    about: 'Feishu answers in garbage',
    vendor: [...stages(3), result],
    ends: 'completed',
    feishuFaults: [{ api: 'update_progress', action: { kind: 'garbage', apply: true }, times: 2 }],
  },
  {
    customer: 'dawn',
    candidate: '吕行',
    about: 'Feishu fails three times',
    vendor: [...stages(2), result],
    ends: 'completed',
    feishuFaults: [{ api: 'update_result', action: { kind: 'server_error' }, times: 3 }],
  },
  {
    customer: 'bridge',
    candidate: '施诗',
    about: 'plain, the last one',
    vendor: [...stages(2), result],
    ends: 'completed',
  },
]

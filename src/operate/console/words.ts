import type { Attention } from '../../flow/orders/difference.js'
import type { TimelineKind } from '../../flow/timeline.js'
import type { Language } from './languages.js'

/** Names of the API in the words of operators; docs/api.md says more of each. What has no words here is shown by its name. */
type Words = Readonly<Record<Language, string>>

export const timelineWords: Readonly<Record<TimelineKind, Words>> = {
  received: { zh: '收到创建事件', en: 'The event that created the order came' },
  imported: { zh: '从旧系统迁入', en: 'Moved in from an older system' },
  canceled_before_created: { zh: '取消事件先于创建事件到达', en: 'The cancel came before the order' },
  canceled_by_customer: { zh: '客户终止了背调', en: 'The customer stopped the check' },
  canceled_by_operator: { zh: '操作者终止了背调', en: 'An operator stopped the check' },
  placed: { zh: '供应商已接单', en: 'The vendor has the order' },
  place_refused: { zh: '供应商拒绝接单', en: 'The vendor refused the order' },
  place_given_up: { zh: '72 小时未能下单，已放弃', en: 'The vendor did not take the order for 72 h' },
  place_again: { zh: '操作者要求重新下单', en: 'An operator had it placed again' },
  vendor_canceled: { zh: '供应商已知悉终止', en: 'The vendor knows that the check was stopped' },
  vendor_cancel_refused: { zh: '供应商未接受终止', en: 'The vendor did not take the cancel' },
  vendor_cancel_given_up: { zh: '未能通知供应商终止，已放弃', en: 'Telling the vendor was given up' },
  several_vendor_orders: { zh: '供应商有多个对应订单', en: 'The vendor has more than one order for it' },
  stage_seen: { zh: '供应商有新进度', en: 'The vendor named a new stage' },
  stage_replaced: { zh: '进度在推送前有变', en: 'A stage changed before it was sent' },
  stage_changed_after_sent: { zh: '进度在推送后有变，不会自动重发', en: 'A stage changed after it was sent' },
  stage_after_end: { zh: '结果或终止之后的进度，无法推送', en: 'A stage after the end; it cannot be sent' },
  result_seen: { zh: '供应商已出结果', en: 'The vendor has a result' },
  result_replaced: { zh: '结果在推送前有变', en: 'The result changed before it was sent' },
  result_withdrawn: { zh: '供应商在推送前撤回了结果', en: 'The vendor took the result back before it was sent' },
  result_changed_after_sent: { zh: '结果在推送后有变，不会自动重发', en: 'The result changed after it was sent' },
  result_withdrawn_after_sent: {
    zh: '供应商在推送后撤回了结果',
    en: 'The vendor took the result back after it was sent',
  },
  cancel_withdrawn_after_sent: {
    zh: '供应商在推送后撤回了终止',
    en: 'The vendor took its cancel back after it was sent',
  },
  vendor_stopped: { zh: '供应商终止了背调', en: 'The vendor stopped the check' },
  result_left_out: { zh: '进度无报告，未带结论推送', en: 'A stage is sent without its result: it has no report' },
  value_shortened: { zh: '文字过长，已截断', en: 'A text was too long for Feishu and was cut' },
  report_left_out: {
    zh: '部分报告未推送（链接过长或超过 20 份）',
    en: 'Reports were left out: link too long, or too many',
  },
  time_corrected: { zh: '供应商时间有误，改用发现时间', en: "The vendor's time cannot be true; ours is sent" },
  stage_repeated: { zh: '供应商重复给出同一进度，只取第一个', en: 'The vendor named a stage twice; the first counts' },
  unknown_to_vendor: { zh: '供应商查无此单', en: 'The vendor does not know the order any more' },
  poll_refused: { zh: '供应商拒绝查询或应答无法解读', en: 'The vendor refused to tell, or told it unreadably' },
  foreign_order: { zh: '供应商的应答属于另一个背调', en: 'The vendor told about another check' },
  stages_left_out: { zh: '超过 500 条的进度不推送', en: 'Stages beyond the 500th are not sent' },
  delivered: { zh: '飞书已接收', en: 'Feishu took it' },
  held_for_approval: { zh: '飞书已收到结果，待审批', en: 'Feishu holds the result for approval' },
  approved: { zh: '结果已通过审批', en: 'The result was approved' },
  dead: { zh: '推送失败，不再重试', en: 'A delivery is dead' },
  superseded: { zh: '推送已不需要', en: 'A delivery is not needed any more' },
  revived: { zh: '失败的推送已重新排队', en: 'A dead delivery is sent again' },
  resend_wanted: { zh: '操作者要求重发', en: 'An operator wants it sent again' },
  resent: { zh: '已重新排队推送', en: 'It waits for Feishu once more' },
  resend_dropped: { zh: '已无法重发', en: 'It cannot be sent again any more' },
  found_in_feishu: { zh: '对账：飞书中已有，视为送达', en: 'A sweep found it in Feishu: delivered' },
  missing_in_feishu: { zh: '对账：飞书中没有，重新推送', en: 'A sweep did not find it in Feishu: sent again' },
  terminated_in_feishu: { zh: '对账：飞书中已终止', en: 'A sweep found the check stopped in Feishu' },
  restored: { zh: '数据库从备份恢复', en: 'The database was restored from a backup' },
  erased: { zh: '个人信息已清除', en: 'Everything personal was destroyed' },
}

export type Flag = Attention | 'failed' | 'stale' | 'differs_in_feishu'

export const flagWords: Readonly<Record<Flag, Words>> = {
  changed_after_sent: { zh: '推送后供应商内容有变', en: 'the vendor changed it after Feishu had it' },
  vendor_time: { zh: '供应商时间有误', en: 'a time of the vendor cannot be true' },
  value_changed_for_feishu: { zh: '文字或报告被截断或略去', en: 'a text or report was cut or left out' },
  unknown_to_vendor: { zh: '供应商查无此单', en: 'the vendor does not know the order any more' },
  poll_refused: {
    zh: '供应商拒绝查询或应答无法解读',
    en: 'the vendor refuses to tell about it, or tells it unreadably',
  },
  several_vendor_orders: { zh: '供应商有多个对应订单', en: 'the vendor has more than one order for it' },
  vendor_not_told: { zh: '未能通知供应商终止', en: 'canceled, and the vendor could not be told' },
  foreign_order: { zh: '供应商的应答属于另一个背调', en: 'the vendor tells about another check under its number' },
  too_many_stages: { zh: '进度超过 500 条', en: 'more than 500 stages' },
  failed: { zh: '订单失败', en: 'the order failed' },
  delivery_dead: { zh: '有推送失败', en: 'a delivery is dead' },
  stale: { zh: '长时间没有变化', en: 'open, and without a change for long' },
  differs_in_feishu: { zh: '与飞书不一致', en: 'Feishu has something else' },
}

/** States and classes: in English their names are words already. */
const chinese: Readonly<Record<string, string>> = {
  received: '已收到',
  ordered: '已下单',
  in_progress: '进行中',
  reported: '待飞书接收结果',
  completed: '已完成',
  canceled: '已终止',
  failed: '失败',
  pending: '待推送',
  sending: '推送中',
  delivered: '已送达',
  superseded: '已不需要',
  dead: '推送失败',
  customer: '客户侧',
  vendor: '供应商侧',
  feishu: '飞书侧',
  ours: '本服务',
  unconfirmed: '未确认',
  confirmed: '已确认',
  unbound: '未绑定',
  new: '待处理',
  done: '已完成',
  ignored: '已忽略',
  open: '未处理',
  repaired: '已修复',
  gone: '已消失',
  dismissed: '已忽略',
  in_step: '一致',
  syncing: '同步中',
  waiting: '等待确认',
  readable: '可读',
  unreadable: '不可读',
  unknown: '未知',
  refused: '被拒绝',
  tenant: '租户',
  app: '应用',
  method: '接口',
  restore: '备份恢复',
  closed: '闭合（正常）',
  'half-open': '半开',
}

export function wordsOf(table: Readonly<Record<string, Words>>, name: string, language: Language): string | undefined {
  return Object.hasOwn(table, name) ? table[name]?.[language] : undefined
}

export function stateWord(name: string, language: Language): string | undefined {
  return language === 'zh' && Object.hasOwn(chinese, name) ? chinese[name] : undefined
}

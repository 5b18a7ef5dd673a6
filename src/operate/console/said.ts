import type { Language } from './languages.js'

/**
 * What this service writes down in English about why something rests, failed or is dead, for readers of Chinese. The
 * sentences are those of the table of outcomes (flow/to-feishu/outcome-rows.ts) and of orders, accounts and catalogs;
 * one that has no words here is shown as it is.
 */
export function said(text: string, language: Language): string {
  if (language === 'en') return text
  if (Object.hasOwn(sentences, text)) return sentences[text] ?? text
  const [begin, words] = Object.entries(beginnings).find(([each]) => text.startsWith(each)) ?? ['', '']
  return words + text.slice(begin.length)
}

/** What stands before somebody else's words. */
const beginnings: Readonly<Record<string, string>> = {
  'the vendor refused the order: ': '供应商拒绝下单：',
  'the vendor refused the account: ': '供应商拒绝该账号：',
  'no success in 72 h: ': '72 小时内未成功：',
  'the feed cannot be read: ': '无法读取供应商的变更流：',
  'the app lacks a scope: ': '应用缺少权限：',
}

const sentences: Readonly<Record<string, string>> = {
  // holds
  'the app is not available in Feishu': '应用在飞书中不可用',
  'the app secret is wrong': '应用的 app secret 有误',
  'the app is not authorised in this tenant': '应用未获此租户授权',
  'the app is not installed or is disabled in this tenant': '应用在此租户未安装或已停用',
  'the app lacks a scope that this API needs': '应用缺少此接口所需的权限',
  'our address is not in the app’s list of allowed addresses': '本服务的地址不在应用的 IP 白名单中',
  'the monthly quota of API calls is used up': '本月的接口调用额度已用完',
  'the tenant does not let agreements be kept through the API': '此租户不允许通过接口维护三方协议',
  'the customer disabled the app': '客户停用了应用',
  'the platform disabled the app for this customer': '平台为此客户停用了应用',
  'the customer uninstalled the app': '客户卸载了应用',
  // deliveries
  'Feishu accepted it': '飞书已接收',
  'too many calls': '调用过于频繁',
  'Feishu refuses a token that it has just given': '飞书拒绝刚发放的令牌',
  'Feishu refuses a fresh app access token': '飞书拒绝新的 app access token',
  'Feishu calls a fresh token malformed': '飞书认为新的令牌格式有误',
  'Feishu takes the token for one of a user': '飞书把令牌当作用户令牌',
  'Feishu gives no app access token': '飞书没有发放 app access token',
  'Feishu gives no tenant access token': '飞书没有发放 tenant access token',
  'the call had no token': '调用时没有令牌',
  'the API wants a token of a user': '接口要求用户令牌',
  'Feishu calls a parameter of the token request wrong': '飞书认为获取令牌的参数有误',
  'Feishu does not know this path or method': '飞书没有此路径或方法',
  'Feishu calls a field of the request missing or malformed': '飞书认为请求缺少字段或字段格式有误',
  'Feishu refuses our credentials': '飞书拒绝本服务的凭据',
  'an answer that is not documented': '飞书文档中没有的应答',
  'the order has ended': '订单已结束',
  'Feishu does not know this order': '飞书没有此订单',
  'an earlier attempt was taken or the order is closed': '先前的推送已被接收，或订单已关闭',
  'Feishu holds it for approval': '结果在飞书等待审批',
  'the order was canceled': '订单已终止',
  'an earlier attempt completed the order': '先前的推送已使订单完成',
  'the order is closed': '订单已关闭',
  'the packages are gone': '套餐已不存在',
  'the fields are gone': '字段已不存在',
  'the agreement is there': '三方协议已存在',
  'the agreement is there already': '三方协议已存在',
  'the agreement is gone': '三方协议已不存在',
  'order state: Feishu has closed this order': '订单状态：飞书已关闭此订单',
  'Feishu does not know this order under this app and tenant': '飞书在此应用和租户下没有此订单',
  'Feishu does not know this agreement': '飞书没有此三方协议',
  'Feishu does not know an account, package or field that is named': '飞书没有所指的账号、套餐或字段',
  'a system error, or a field that does not exist or cannot be deleted': '系统错误，或字段不存在或不能删除',
  'a system error of Feishu': '飞书系统错误',
  'Feishu calls a parameter wrong': '飞书认为参数有误',
  'not a campus recruiting process': '不是校招流程',
  'the work location is outside mainland China': '工作地点不在中国大陆',
  'the account has other fields already: delete them and use new keys':
    '此账号已有其他字段：请删除它们，并使用新的 key',
  'Feishu does not let these fields be deleted': '飞书不允许删除这些字段',
  'another result of this order waits for approval': '此订单的另一个结果正在等待审批',
  'Feishu did not get the whole request in time': '飞书未能及时收到完整请求',
  'a failure of Feishu': '飞书故障',
  'a refusal of a repeat, or a failure of Feishu that comes with 200': '重复推送被拒绝，或飞书以 200 返回的故障',
  // orders, accounts and catalogs
  'the vendor answered the number of another check': '供应商返回了另一个背调的编号',
  'mend the cause at the vendor, then place the order again or cancel it': '请在供应商处排除原因，然后重新下单或终止',
  'look into the log, then place the order again or cancel it': '请查看日志，然后重新下单或终止',
  'mend the cause at the vendor, then bind again': '请在供应商处排除原因，然后重新确认账号',
  'mend the cause, then send the delivery again or put the catalog again: either goes on from where this ended':
    '请排除原因，然后重新推送或重新设置套餐与字段：两者都从中断处继续',
  'mend the cause, then send the delivery again or run bgc account-fields apply again':
    '请排除原因，然后重新推送，或再次运行 bgc account-fields apply',
}

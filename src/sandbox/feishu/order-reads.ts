import type { Answer } from './answers.js'
import { accept, refuse } from './answers.js'
import type { Body } from './bodies.js'
import { orderStatuses, type Person, type SandboxOrder } from './orders.js'

type Query = Record<string, string>

const listQuery = ['page_size', 'page_token', 'application_id', 'update_start_time', 'update_end_time', 'user_id_type']
const batchQuery = ['page_size', 'page_token', 'user_id_type']

/** GET background_check_orders (contract §3.8): every order of the tenant, those of other providers too. */
export function listOrders(orders: readonly SandboxOrder[], query: Query): Answer {
  const wrong = unknownNames(query, listQuery)
  if (wrong) return refuse('parameterError', wrong)
  const found = orders.filter(
    (order) =>
      isBetween(order.updatedAt, query.update_start_time, query.update_end_time) && ofApplication(order, query),
  )
  return page(found, query)
}

/** POST background_check_orders/batch_query: at most 20 ids, which then are the only filter. */
export function queryOrders(
  orders: readonly SandboxOrder[],
  query: Query,
  body: Body<'background_check_orders.batch_query'>,
): Answer {
  const wrong = unknownNames(query, batchQuery)
  if (wrong) return refuse('parameterError', wrong)
  const ids = body.background_check_order_id_list ?? []
  if (ids.length > 20)
    return refuse('parameterError', `background_check_order_id_list: expected at most 20; ${ids.length} came`)
  const found = orders.filter((order) =>
    ids.length > 0 ? ids.includes(order.backgroundCheckId) : matches(order, body),
  )
  return page(found, query)
}

function matches(order: SandboxOrder, body: Body<'background_check_orders.batch_query'>): boolean {
  return (
    isBetween(order.updatedAt, body.update_start_time, body.update_end_time) &&
    isBetween(order.createdAt, body.begin_start_time, body.begin_end_time) &&
    ofApplication(order, body) &&
    (body.order_status === undefined || orderStatuses[order.status] === Number(body.order_status))
  )
}

function page(found: readonly SandboxOrder[], query: Query): Answer {
  const size = Number(query.page_size ?? 10)
  if (!Number.isInteger(size) || size < 1 || size > 100) {
    return refuse('parameterError', `page_size: expected 1 to 100; it came as ${query.page_size}`)
  }
  const from = query.page_token ? Number(query.page_token) : 0
  if (!Number.isInteger(from) || from < 0)
    return refuse('parameterError', 'page_token: expected one that was given before')
  const items = found.slice(from, from + size).map(show)
  const hasMore = from + size < found.length
  return accept({ items, has_more: hasMore, page_token: hasMore ? String(from + size) : '' }, { applied: false })
}

function show(order: SandboxOrder) {
  return {
    order_id: order.backgroundCheckId,
    order_status: orderStatuses[order.status],
    application_id: order.applicationId ?? '',
    process_info_list: order.stages.map((stage) => ({
      process: stage.name,
      en_process: stage.enName ?? '',
      update_time: String(stage.time),
    })),
    feedback_info_list: feedback(order),
    candidate_info: showPerson(order.candidate),
    contactor_info: showPerson(order.contact),
    begin_time: String(order.createdAt),
    update_time: String(order.updatedAt),
    provider_info: provider(order),
    custom_data_list: order.customFields,
    ext_item_info_list: order.additionalItemIds.map((id) => ({ id, name: id })),
    ...(order.result ? { conclusion: order.result.result, end_time: String(order.result.time) } : {}),
  }
}

function feedback(order: SandboxOrder) {
  const stages = order.stages.filter((stage) => stage.reports.length > 0 || stage.result !== undefined)
  const parts = [
    ...stages.map((stage) => ({ ...stage, type: 1 })),
    ...(order.result ? [{ ...order.result, type: 2 }] : []),
  ]
  return parts.flatMap((part, number) =>
    (part.reports.length > 0 ? part.reports : [{ name: '', url: '', urlType: 1 }]).map((report, index) => ({
      id: `${order.backgroundCheckId}-${number + 1}-${index + 1}`,
      result: part.result ?? '',
      report_type: part.type,
      report_name: report.name,
      attachment_url: report.urlType === 1 ? report.url : '',
      report_preview_url: report.urlType === 2 ? report.url : '',
      create_time: String(part.time),
    })),
  )
}

function provider({ otherProvider }: SandboxOrder) {
  const name = otherProvider ? 'Another provider' : 'Sandbox provider'
  return {
    provider_id: otherProvider ? '6800000000000000002' : '6800000000000000001',
    provider_name: { zh_cn: name, en_us: name },
  }
}

function showPerson({ name, mobile, email, first_name, last_name }: Person) {
  return { name, mobile: mobile ? `+${mobile.code}${mobile.number}` : '', email, first_name, last_name }
}

function unknownNames(query: Query, known: readonly string[]): string | undefined {
  const unknown = Object.keys(query).filter((name) => !known.includes(name))
  return unknown.length > 0 ? `query: expected only ${known.join(', ')}; ${unknown.join(', ')} came` : undefined
}

function isBetween(time: number, from: string | undefined, to: string | undefined): boolean {
  return (!from || time >= Number(from)) && (!to || time <= Number(to))
}

function ofApplication(order: SandboxOrder, { application_id }: { application_id?: string | undefined }): boolean {
  return !application_id || order.applicationId === application_id
}

import { z } from 'zod'
import { dismissFinding, findingKinds, findingStates } from '../../flow/findings.js'
import type { Prisma } from '../../platform/database/generated/client.js'
import { idCursor, limit, listOf, newestFirst, olderThan, pageById } from './lists.js'
import { ofFinding } from './looks.js'
import { problem } from './problems.js'
import { noBody, none, okOrUnknown, type Route, route, unknownId } from './route.js'
import { documented, given, listed, ownId, time, timeOf } from './shapes.js'
import { feishuId, oneOf, rowId, text } from './values.js'

const detail = z.record(z.string(), z.union([z.string(), z.number()]))

export const finding = z
  .object({
    id: ownId,
    kind: listed(findingKinds),
    app_id: z.string().optional(),
    tenant_key: z.string().optional(),
    background_check_id: z.string(),
    vendor_order_id: z.string().optional(),
    detail: z.unknown().meta({ ...documented(detail), description: 'Ids, codes and times' }),
    state: listed(findingStates),
    found_at: time,
    seen_at: time,
    settled_at: time.optional(),
  })
  .meta({ id: 'Finding', description: 'What differs between Feishu or the vendor and this service' })

export type Finding = z.output<typeof finding>

function show(row: Prisma.FindingGetPayload<object>): z.output<typeof finding> {
  return {
    id: String(row.id),
    kind: row.kind,
    ...given('app_id', row.appId === '' ? null : row.appId),
    ...given('tenant_key', row.tenantKey === '' ? null : row.tenantKey),
    background_check_id: row.backgroundCheckId,
    ...given('vendor_order_id', row.vendorOrderId),
    detail: row.detail,
    state: row.state,
    found_at: timeOf(row.foundAt),
    seen_at: timeOf(row.seenAt),
    ...given('settled_at', timeOf(row.settledAt)),
  }
}

const listFindings = route({
  id: 'findings.list',
  method: 'GET',
  path: '/v1/findings',
  summary: 'What differs between Feishu or the vendor and this service, as sweeps found it',
  scopes: ['read'],
  status: 200,
  params: none,
  query: z.object({
    state: oneOf(findingStates).optional(),
    kind: oneOf(findingKinds).optional(),
    tenant_key: text.optional(),
    background_check_id: feishuId.optional(),
    limit,
    cursor: idCursor.optional(),
  }),
  body: noBody,
  answer: listOf('FindingList', finding),
  problems: [],
  run: async ({ database }, { query }) => {
    const where: Prisma.FindingWhereInput = {
      ...given('state', query.state),
      ...given('kind', query.kind),
      ...given('tenantKey', query.tenant_key),
      ...given('backgroundCheckId', query.background_check_id),
      ...olderThan(query.cursor),
    }
    const find = { where, ...newestFirst(query.limit) }
    return pageById(await (await database.prisma()).finding.findMany(find), query.limit, show)
  },
})

const dismiss = route({
  id: 'findings.dismiss',
  method: 'POST',
  path: '/v1/findings/{id}/dismiss',
  summary: 'Somebody looked at a finding: as long as the difference lasts it is not listed as open again',
  scopes: ['operate'],
  status: 200,
  params: z.object({ id: rowId }),
  query: none,
  body: noBody,
  answer: finding,
  problems: ['not-found', 'finding-not-open'],
  audit: ofFinding,
  run: async ({ database }, { params }, write) => {
    const dismissed = await write((sql) => dismissFinding(sql, params.id), judge)
    if (dismissed.kind === 'problem') return dismissed
    const row = await (await database.prisma()).finding.findUnique({ where: params })
    return okOrUnknown(row && show(row))
  },
})

function judge(dismissed: 'dismissed' | 'not_open' | null) {
  if (dismissed === null) return unknownId
  return dismissed === 'dismissed' ? dismissed : problem('finding-not-open', 'only an open finding can be dismissed')
}

export const findingRoutes: readonly Route[] = [listFindings, dismiss]

import { z } from 'zod'
import { dismissFinding, findingKinds, findingStates } from '../../flow/findings.js'
import type { Prisma } from '../../platform/database/generated/client.js'
import { cut, idCursor, limit, page } from './lists.js'
import { problem } from './problems.js'
import { noBody, none, ok, type Route, route, unknownId } from './route.js'
import { given, timeOf } from './shapes.js'
import { feishuId, oneOf, rowId, text } from './values.js'

function show(row: Prisma.FindingGetPayload<object>): object {
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
  run: async ({ database }, { query }) => {
    const where: Prisma.FindingWhereInput = {
      ...(query.state !== undefined && { state: query.state }),
      ...(query.kind !== undefined && { kind: query.kind }),
      ...(query.tenant_key !== undefined && { tenantKey: query.tenant_key }),
      ...(query.background_check_id !== undefined && { backgroundCheckId: query.background_check_id }),
      ...(query.cursor !== undefined && { id: { lt: query.cursor } }),
    }
    const find = { where, orderBy: { id: 'desc' }, take: query.limit + 1 } as const
    const { rows, last } = cut(await database.prisma.finding.findMany(find), query.limit)
    return page(rows.map(show), last && [String(last.id)])
  },
})

const dismiss = route({
  method: 'POST',
  path: '/v1/findings/{id}/dismiss',
  summary: 'Somebody looked at a finding: as long as the difference lasts it is not listed as open again',
  scopes: ['operate'],
  status: 200,
  params: z.object({ id: rowId }),
  query: none,
  body: noBody,
  run: async ({ database }, { params }) => {
    const dismissed = await database.transaction((sql) => dismissFinding(sql, params.id))
    const row = await database.prisma.finding.findUnique({ where: params })
    if (row === null || dismissed === null) return unknownId
    return dismissed === 'not_open' ? problem('finding-not-open', `the finding is ${row.state}`) : ok(show(row))
  },
})

export const findingRoutes: readonly Route[] = [listFindings, dismiss]

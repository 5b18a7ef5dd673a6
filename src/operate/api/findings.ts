import { z } from 'zod'
import { dismissFinding, findingKinds, findingStates } from '../../flow/findings.js'
import type { Prisma } from '../../platform/database/generated/client.js'
import { idCursor, limit, newestFirst, olderThan, pageById } from './lists.js'
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
      ...given('state', query.state),
      ...given('kind', query.kind),
      ...given('tenantKey', query.tenant_key),
      ...given('backgroundCheckId', query.background_check_id),
      ...olderThan(query.cursor),
    }
    const find = { where, ...newestFirst(query.limit) }
    return pageById(await database.prisma.finding.findMany(find), query.limit, show)
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

import { z } from 'zod'
import type { Parts } from '../../app.js'
import { bindAgain } from '../../flow/accounts/bind-again.js'
import { putAccount } from '../../flow/accounts/put.js'
import type { Prisma } from '../../platform/database/generated/client.js'
import { resolveApp } from './apps.js'
import { showCatalog } from './catalog-shape.js'
import { behind, cut, limit, page, timeCursor } from './lists.js'
import { problem } from './problems.js'
import { type Answer, noBody, none, ok, type Route, route, unknownId } from './route.js'
import { failureOf, given, timeOf } from './shapes.js'
import { feishuId, oneOf, text } from './values.js'

const states = ['unbound', 'unconfirmed', 'confirmed', 'failed'] as const
const params = z.object({ account_id: feishuId })
const expectedUsages = 'expected a list of 1 (social) and 2 (campus recruiting)'
/** Feishu may add to the two that it documents (contract §1.2). */
const usage = z.int32(expectedUsages)

const columns = {
  accountId: true,
  appId: true,
  tenantKey: true,
  name: true,
  usageList: true,
  state: true,
  customerId: true,
  failure: true,
  createdAt: true,
  updatedAt: true,
} as const satisfies Prisma.AccountSelect

function show(row: Prisma.AccountGetPayload<{ select: typeof columns }>): object {
  return {
    account_id: row.accountId,
    app_id: row.appId,
    tenant_key: row.tenantKey,
    account_name: row.name,
    usage_list: row.usageList,
    state: row.state,
    customer_id: row.customerId,
    ...failureOf(row.failure),
    created_at: timeOf(row.createdAt),
    updated_at: timeOf(row.updatedAt),
  }
}

const listAccounts = route({
  method: 'GET',
  path: '/v1/accounts',
  summary: 'Accounts that customers bound',
  scopes: ['read'],
  status: 200,
  params: none,
  query: z.object({
    state: oneOf(states).optional(),
    tenant_key: text.optional(),
    limit,
    cursor: timeCursor.optional(),
  }),
  body: noBody,
  run: async ({ database }, { query }) => {
    const where: Prisma.AccountWhereInput = {
      ...given('state', query.state),
      ...given('tenantKey', query.tenant_key),
      AND: [behind(query.cursor, 'accountId')],
    }
    const orderBy: Prisma.AccountOrderByWithRelationInput[] = [{ createdAt: 'desc' }, { accountId: 'asc' }]
    const find = { where, orderBy, select: columns, take: query.limit + 1 }
    const { rows, last } = cut(await database.prisma.account.findMany(find), query.limit)
    return page(rows.map(show), last && [last.createdAt.getTime(), last.accountId])
  },
})

const readAccount = route({
  method: 'GET',
  path: '/v1/accounts/{account_id}',
  summary: 'One account, with what Feishu holds of its catalog, what is wanted and the difference',
  scopes: ['read'],
  status: 200,
  params,
  query: none,
  body: noBody,
  run: (parts, { params: { account_id: id } }) => read(parts, id),
})

const putOne = route({
  method: 'PUT',
  path: '/v1/accounts/{account_id}',
  summary: 'Registers an account that a customer bound before this service was there',
  scopes: ['operate'],
  status: 200,
  params,
  query: none,
  body: z.strictObject({
    tenant_key: text.min(1, 'expected the tenant that bound the account'),
    app_id: text.optional(),
    account_name: text.optional(),
    usage_list: z.array(usage, expectedUsages).max(100, expectedUsages).optional(),
    custom_fields: z.record(text, z.string('expected a text'), 'expected an object of texts').optional(),
    customer_id: text.min(1, "expected the customer's id at the vendor").optional(),
  }),
  run: async (parts, { params: { account_id: accountId }, body }) => {
    const app = await resolveApp(parts, body.app_id, body.tenant_key)
    if (app.kind === 'problem') return app
    const account = {
      accountId,
      ...given('accountName', body.account_name),
      ...given('usageList', body.usage_list),
      ...given('customFields', body.custom_fields),
      ...given('customerId', body.customer_id),
    }
    const origin = { appId: app.appId, tenantKey: body.tenant_key }
    const put = await parts.database.transaction((sql) => putAccount(sql, parts.sealer, origin, account))
    if (put.kind === 'elsewhere')
      return problem('account-elsewhere', 'the account is known as one of another app or tenant, and stays that')
    parts.hints.send('vendor')
    return read(parts, accountId)
  },
})

const bindAccount = route({
  method: 'POST',
  path: '/v1/accounts/{account_id}/bind',
  summary: 'Asks the vendor anew which customer an account is',
  scopes: ['operate'],
  status: 202,
  params,
  query: none,
  body: noBody,
  run: async (parts, { params: { account_id: id } }) => {
    const asked = await parts.database.transaction((sql) => bindAgain(sql, id))
    if (!asked) return unknownId
    parts.hints.send('vendor')
    return read(parts, id)
  },
})

async function read({ database }: Parts, accountId: string): Promise<Answer> {
  const row = await database.prisma.account.findUnique({ where: { accountId }, select: columns })
  return row === null ? unknownId : ok({ ...show(row), ...given('catalog', await showCatalog(database, accountId)) })
}

export const accountRoutes: readonly Route[] = [listAccounts, readAccount, putOne, bindAccount]

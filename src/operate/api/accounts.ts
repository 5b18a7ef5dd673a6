import { z } from 'zod'
import type { Parts } from '../../app.js'
import { bindAgain } from '../../flow/accounts/bind-again.js'
import { type PutAccount, putAccount } from '../../flow/accounts/put.js'
import type { Prisma } from '../../platform/database/generated/client.js'
import { resolveApp } from './apps.js'
import { catalogShown, showCatalog } from './catalog-shape.js'
import { behind, cut, limit, listOf, page, timeCursor } from './lists.js'
import { ofAccount } from './looks.js'
import { problem } from './problems.js'
import { type Answer, noBody, none, ok, type Route, route, unknownId } from './route.js'
import { failure, failureOf, given, listed, time, timeOf } from './shapes.js'
import { feishuId, oneOf, text } from './values.js'

export const accountStates = ['unbound', 'unconfirmed', 'confirmed', 'failed'] as const
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

export const account = z
  .object({
    account_id: z.string(),
    app_id: z.string(),
    tenant_key: z.string(),
    account_name: z.string(),
    usage_list: z.array(z.int()).meta({ description: '1: social, 2: campus recruiting' }),
    state: listed(accountStates),
    customer_id: z.string().nullable().meta({ description: "The customer's id at the vendor" }),
    failure: failure.optional(),
    created_at: time,
    updated_at: time,
  })
  .meta({ id: 'Account', description: 'A customer that bound the vendor in Feishu' })

export type Account = z.output<typeof account>

export const wholeAccount = account
  .extend({ catalog: catalogShown.optional() })
  .meta({ id: 'WholeAccount', description: 'An account, and what Feishu shows of the vendor there' })

function show(row: Prisma.AccountGetPayload<{ select: typeof columns }>): z.output<typeof account> {
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
  id: 'accounts.list',
  method: 'GET',
  path: '/v1/accounts',
  summary: 'Accounts that customers bound',
  scopes: ['read'],
  status: 200,
  params: none,
  query: z.object({
    state: oneOf(accountStates).optional(),
    tenant_key: text.optional(),
    limit,
    cursor: timeCursor.optional(),
  }),
  body: noBody,
  answer: listOf('AccountList', account),
  problems: [],
  run: async ({ database }, { query }) => {
    const where: Prisma.AccountWhereInput = {
      ...given('state', query.state),
      ...given('tenantKey', query.tenant_key),
      AND: [behind(query.cursor, 'accountId')],
    }
    const orderBy: Prisma.AccountOrderByWithRelationInput[] = [{ createdAt: 'desc' }, { accountId: 'asc' }]
    const find = { where, orderBy, select: columns, take: query.limit + 1 }
    const { rows, last } = cut(await (await database.prisma()).account.findMany(find), query.limit)
    return page(rows.map(show), last && [last.createdAt.getTime(), last.accountId])
  },
})

const readAccount = route({
  id: 'accounts.read',
  method: 'GET',
  path: '/v1/accounts/{account_id}',
  summary: 'One account, with what Feishu holds of its catalog, what is wanted and the difference',
  scopes: ['read'],
  status: 200,
  params,
  query: none,
  body: noBody,
  answer: wholeAccount,
  problems: ['not-found'],
  run: (parts, { params: { account_id: id } }) => read(parts, id),
})

const putOne = route({
  id: 'accounts.put',
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
  answer: wholeAccount,
  problems: ['not-found', 'account-elsewhere'],
  audit: ofAccount,
  run: async (parts, { params: { account_id: accountId }, body }, write) => {
    const app = await resolveApp(parts, body.app_id, body.tenant_key)
    if (app.kind === 'problem') return app
    const toPut = {
      accountId,
      ...given('accountName', body.account_name),
      ...given('usageList', body.usage_list),
      ...given('customFields', body.custom_fields),
      ...given('customerId', body.customer_id),
    }
    const origin = { appId: app.appId, tenantKey: body.tenant_key }
    const put = await write((sql) => putAccount(sql, parts.sealer, origin, toPut), judge)
    if (put.kind === 'problem') return put
    parts.hints.send('vendor')
    return read(parts, accountId)
  },
})

function judge(put: PutAccount) {
  if (put.kind === 'kept') return put
  return problem('account-elsewhere', 'the account is known as one of another app or tenant, and stays that')
}

const bindAccount = route({
  id: 'accounts.bind',
  method: 'POST',
  path: '/v1/accounts/{account_id}/bind',
  summary: 'Asks the vendor anew which customer an account is',
  scopes: ['operate'],
  status: 202,
  params,
  query: none,
  body: noBody,
  answer: wholeAccount,
  problems: ['not-found'],
  audit: ofAccount,
  run: async (parts, { params: { account_id: id } }, write) => {
    const asked = await write(
      (sql) => bindAgain(sql, id),
      (known) => known || unknownId,
    )
    if (asked.kind === 'problem') return asked
    parts.hints.send('vendor')
    return read(parts, id)
  },
})

async function read({ database }: Parts, accountId: string): Promise<Answer<z.output<typeof wholeAccount>>> {
  const row = await (await database.prisma()).account.findUnique({ where: { accountId }, select: columns })
  return row === null ? unknownId : ok({ ...show(row), ...given('catalog', await showCatalog(database, accountId)) })
}

export const accountRoutes: readonly Route[] = [listAccounts, readAccount, putOne, bindAccount]

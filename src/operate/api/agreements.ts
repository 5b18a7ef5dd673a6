import { z } from 'zod'
import type { Parts } from '../../app.js'
import { type Change, changeAgreement, deleteAgreement, type Put } from '../../flow/agreements/change.js'
import { type Creation, createAgreement } from '../../flow/agreements/create.js'
import { wakePumps } from '../../flow/to-feishu/wake-pumps.js'
import { agreementsFound, askForAgreements } from './agreements-asked.js'
import { resolveApp } from './apps.js'
import { ofAgreement, ofCreation } from './looks.js'
import { problem } from './problems.js'
import { noBody, none, ok, type Route, route } from './route.js'
import { ownId } from './shapes.js'
import { feishuId, text } from './values.js'

const tenantKey = text.min(1, 'expected the key of a tenant')
const appId = text.optional()
const path = '/v1/tripartite-agreements'
const params = z.object({ id: feishuId })

const notState = 'expected a whole number from 1 to 9'
const state = z.int(notState).min(1, notState).max(9, notState)

const notTime = 'expected milliseconds since 1970, 24 hours ahead at most'
const mostAheadMs = 86_400_000
/** As a number, or as Feishu writes it. */
const time = z
  .union([z.int(), z.string().regex(/^\d{1,13}$/)], notTime)
  .transform(Number)
  // Nothing earlier is taken after it, here or by Feishu: a slip of the hand must not close an agreement for ever.
  .refine((ms) => ms >= 0 && ms <= Date.now() + mostAheadMs, notTime)
const wholeTime = time.refine((ms) => ms >= 1_000_000_000_000, `${notTime}, 13 digits`)

/** What is sent, and under which delivery; `unchanged`: the same was accepted before, and nothing new is sent. */
const sent = z.object({
  app_id: z.string(),
  tenant_key: z.string(),
  unchanged: z.boolean(),
  delivery_id: ownId.nullable().meta({ description: 'Null when the delivery is not kept any more' }),
})
const changed = sent.extend({ id: z.string(), state: z.int(), modify_time: z.string() }).meta({ id: 'AgreementChange' })
const created = sent
  .extend({ application_id: z.string(), state: z.int(), create_time: z.string() })
  .meta({ id: 'AgreementCreation' })
const removed = sent.extend({ id: z.string() }).meta({ id: 'AgreementDeletion' })

const change = route({
  id: 'agreements.change',
  method: 'PUT',
  path: `${path}/{id}`,
  summary: 'Changes the state of a tripartite agreement; nothing is sent when it was changed later',
  scopes: ['operate'],
  status: 202,
  params,
  query: none,
  body: z.strictObject({ tenant_key: tenantKey, app_id: appId, state, modify_time: time.optional() }),
  answer: changed,
  problems: ['not-found', 'agreement-changed-later', 'agreement-deleted'],
  audit: ofAgreement('body'),
  run: async (parts, { params: { id }, body }, write) => {
    const app = await resolveApp(parts, body.app_id, body.tenant_key)
    if (app.kind === 'problem') return app
    const key = { appId: app.appId, tenantKey: body.tenant_key, id }
    const wanted = { state: body.state, modifyTime: body.modify_time }
    const written = await write((sql) => changeAgreement(sql, parts.sealer, key, wanted, Date.now()), judgeChange)
    if (written.kind === 'problem') return written
    announce(parts, written.result)
    return ok({
      id,
      ...keysOf(key),
      state: body.state,
      modify_time: String(written.result.modifyTime),
      ...deliveryOf(written.result),
    })
  },
})

const create = route({
  id: 'agreements.create',
  method: 'POST',
  path,
  summary: 'Creates the tripartite agreement of an application; one that is there already is taken as it is',
  scopes: ['operate'],
  status: 202,
  params: none,
  query: none,
  body: z.strictObject({
    tenant_key: tenantKey,
    app_id: appId,
    application_id: feishuId,
    state,
    create_time: wholeTime.optional(),
  }),
  answer: created,
  problems: ['agreement-being-created'],
  audit: ofCreation,
  run: async (parts, { body }, write) => {
    const app = await resolveApp(parts, body.app_id, body.tenant_key)
    if (app.kind === 'problem') return app
    const key = { appId: app.appId, tenantKey: body.tenant_key, applicationId: body.application_id }
    const wanted = { state: body.state, createTime: body.create_time }
    const written = await write((sql) => createAgreement(sql, parts.sealer, key, wanted, Date.now()), judgeCreation)
    if (written.kind === 'problem') return written
    announce(parts, written.result)
    return ok({
      application_id: body.application_id,
      ...keysOf(key),
      state: body.state,
      create_time: written.result.createTime,
      ...deliveryOf(written.result),
    })
  },
})

const remove = route({
  id: 'agreements.delete',
  method: 'DELETE',
  path: `${path}/{id}`,
  summary: 'Deletes a tripartite agreement',
  scopes: ['operate'],
  status: 202,
  params,
  query: z.object({ tenant_key: tenantKey, app_id: appId }),
  body: noBody,
  answer: removed,
  problems: ['not-found'],
  audit: ofAgreement('query'),
  run: async (parts, { params: { id }, query }, write) => {
    const app = await resolveApp(parts, query.app_id, query.tenant_key)
    if (app.kind === 'problem') return app
    const key = { appId: app.appId, tenantKey: query.tenant_key, id }
    const written = await write(
      (sql) => deleteAgreement(sql, parts.sealer, key),
      (put) => put,
    )
    if (written.kind === 'problem') return written
    announce(parts, written.result)
    return ok({ id, ...keysOf(key), ...deliveryOf(written.result) })
  },
})

const read = route({
  id: 'agreements.read',
  method: 'GET',
  path,
  summary: 'Asks Feishu for the tripartite agreement of an application, or with an id, which wins when both are given',
  scopes: ['read'],
  status: 200,
  params: none,
  query: z
    .object({
      tenant_key: tenantKey,
      app_id: appId,
      application_id: feishuId.optional(),
      id: feishuId.optional(),
    })
    .refine((query) => query.id !== undefined || query.application_id !== undefined, {
      path: ['id'],
      error: 'expected an id or an application_id',
    }),
  body: noBody,
  answer: agreementsFound,
  problems: ['feishu-refused', 'feishu-unavailable'],
  run: async (parts, { query }) => {
    const app = await resolveApp(parts, query.app_id, query.tenant_key)
    if (app.kind === 'problem') return app
    return askForAgreements(parts.reads, app.appId, query.tenant_key, query)
  },
})

function judgeChange(change: Change) {
  if (change.kind === 'deleted') return problem('agreement-deleted', 'the agreement was deleted; nothing was sent')
  if (change.kind !== 'older') return change
  return problem('agreement-changed-later', `modify_time: expected ${change.last} or later; nothing was sent`)
}

function judgeCreation(creation: Creation) {
  if (creation.kind !== 'another_waits') return creation
  return problem('agreement-being-created', `the delivery ${creation.deliveryId} creates another one; it waits`)
}

function keysOf({ appId, tenantKey }: { appId: string; tenantKey: string }) {
  return { app_id: appId, tenant_key: tenantKey }
}

function deliveryOf({ kind, deliveryId }: Put) {
  return { unchanged: kind === 'unchanged', delivery_id: deliveryId }
}

function announce({ hints }: Parts, put: Put): void {
  if (put.kind === 'put') wakePumps(hints, put.buckets)
}

export const agreementRoutes: readonly Route[] = [read, create, change, remove]

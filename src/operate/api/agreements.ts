import { z } from 'zod'
import type { Parts } from '../../app.js'
import { changeAgreement, deleteAgreement, type Put } from '../../flow/agreements/change.js'
import { createAgreement } from '../../flow/agreements/create.js'
import { wakePumps } from '../../flow/to-feishu/wake-pumps.js'
import { askForAgreements } from './agreements-asked.js'
import { resolveApp } from './apps.js'
import { problem } from './problems.js'
import { noBody, none, ok, type Route, route } from './route.js'
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

const change = route({
  method: 'PUT',
  path: `${path}/{id}`,
  summary: 'Changes the state of a tripartite agreement; nothing is sent when it was changed later',
  scopes: ['operate'],
  status: 202,
  params,
  query: none,
  body: z.strictObject({ tenant_key: tenantKey, app_id: appId, state, modify_time: time.optional() }),
  run: async (parts, { params: { id }, body }) => {
    const app = await resolveApp(parts, body.app_id, body.tenant_key)
    if (app.kind === 'problem') return app
    const key = { appId: app.appId, tenantKey: body.tenant_key, id }
    const wanted = { state: body.state, modifyTime: body.modify_time }
    const { database, sealer } = parts
    const changed = await database.transaction((sql) => changeAgreement(sql, sealer, key, wanted, Date.now()))
    if (changed.kind === 'deleted') return problem('agreement-deleted', 'the agreement was deleted; nothing was sent')
    if (changed.kind === 'older') {
      return problem('agreement-changed-later', `modify_time: expected ${changed.last} or later; nothing was sent`)
    }
    announce(parts, changed)
    return ok({
      id,
      ...keysOf(key),
      state: body.state,
      modify_time: String(changed.modifyTime),
      ...deliveryOf(changed),
    })
  },
})

const create = route({
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
  run: async (parts, { body }) => {
    const app = await resolveApp(parts, body.app_id, body.tenant_key)
    if (app.kind === 'problem') return app
    const key = { appId: app.appId, tenantKey: body.tenant_key, applicationId: body.application_id }
    const wanted = { state: body.state, createTime: body.create_time }
    const { database, sealer } = parts
    const created = await database.transaction((sql) => createAgreement(sql, sealer, key, wanted, Date.now()))
    if (created.kind === 'another_waits') {
      return problem('agreement-being-created', `the delivery ${created.deliveryId} creates another one; it waits`)
    }
    announce(parts, created)
    return ok({
      application_id: body.application_id,
      ...keysOf(key),
      state: body.state,
      create_time: created.createTime,
      ...deliveryOf(created),
    })
  },
})

const remove = route({
  method: 'DELETE',
  path: `${path}/{id}`,
  summary: 'Deletes a tripartite agreement',
  scopes: ['operate'],
  status: 202,
  params,
  query: z.object({ tenant_key: tenantKey, app_id: appId }),
  body: noBody,
  run: async (parts, { params: { id }, query }) => {
    const app = await resolveApp(parts, query.app_id, query.tenant_key)
    if (app.kind === 'problem') return app
    const key = { appId: app.appId, tenantKey: query.tenant_key, id }
    const { database, sealer } = parts
    const deleted = await database.transaction((sql) => deleteAgreement(sql, sealer, key))
    announce(parts, deleted)
    return ok({ id, ...keysOf(key), ...deliveryOf(deleted) })
  },
})

const read = route({
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
  run: async (parts, { query }) => {
    const app = await resolveApp(parts, query.app_id, query.tenant_key)
    if (app.kind === 'problem') return app
    return askForAgreements(parts.reads, app.appId, query.tenant_key, query)
  },
})

function keysOf({ appId, tenantKey }: { appId: string; tenantKey: string }): object {
  return { app_id: appId, tenant_key: tenantKey }
}

/** `unchanged`: the same was accepted before, and nothing new is sent. */
function deliveryOf({ kind, deliveryId }: Put): object {
  return { unchanged: kind === 'unchanged', delivery_id: deliveryId }
}

function announce({ hints }: Parts, put: Put): void {
  if (put.kind === 'put') wakePumps(hints, put.buckets)
}

export const agreementRoutes: readonly Route[] = [read, create, change, remove]

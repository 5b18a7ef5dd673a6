import type { Parts } from '../../app.js'
import { laneOfApplication } from '../../flow/agreements/lanes.js'
import { laneOfAccount } from '../../flow/map.js'
import type { Sql } from '../../platform/database/database.js'
import type { Audit } from './audited.js'

/** What the audit shows of each kind of thing: ids, states and counts of rows, never what is sealed in them. */

export async function first(sql: Sql, text: string, values: unknown[]): Promise<object | undefined> {
  return (await sql.query<object>(text, values)).rows[0]
}

export const ofOrder: Audit<{ params: { background_check_id: string } }> = {
  subject: ({ params }) => `order:${params.background_check_id}`,
  look: (sql, { params }) =>
    first(sql, 'SELECT state, attention FROM orders WHERE background_check_id = $1', [params.background_check_id]),
}

export const ofStage: Audit<{ params: { background_check_id: string; stage_id: string } }> = {
  subject: ({ params }) => `order:${params.background_check_id}/${params.stage_id}`,
  look: ofOrder.look,
}

export const ofDelivery = {
  subject: ({ params }: { params: { id: bigint } }) => `delivery:${params.id}`,
  look: (sql: Sql, { params }: { params: { id: bigint } }) =>
    first(sql, 'SELECT state, dead_class AS class FROM deliveries WHERE id = $1', [params.id]),
} satisfies Audit<{ params: { id: bigint } }>

export const ofEvent: Audit<{ params: { id: bigint } }> = {
  subject: ({ params }) => `event:${params.id}`,
  look: (sql, { params }) => first(sql, 'SELECT type, state FROM events WHERE id = $1', [params.id]),
}

export const ofHold: Audit<{ params: { id: bigint } }> = {
  subject: ({ params }) => `hold:${params.id}`,
  look: (sql, { params }) =>
    first(sql, 'SELECT scope, app_id, tenant_key, api, released_at IS NOT NULL AS released FROM holds WHERE id = $1', [
      params.id,
    ]),
}

export const ofFinding: Audit<{ params: { id: bigint } }> = {
  subject: ({ params }) => `finding:${params.id}`,
  look: (sql, { params }) =>
    first(sql, 'SELECT kind, background_check_id, state FROM findings WHERE id = $1', [params.id]),
}

export const ofAccount: Audit<{ params: { account_id: string } }> = {
  subject: ({ params }) => `account:${params.account_id}`,
  look: (sql, { params }) =>
    first(sql, 'SELECT app_id, tenant_key, state, customer_id FROM accounts WHERE account_id = $1', [
      params.account_id,
    ]),
}

/** How many packages, items and fields are wanted, and how many calls are under way. */
export const ofCatalog: Audit<{ params: { account_id: string } }> = {
  subject: ({ params }) => `catalog:${params.account_id}`,
  look: (sql, { params }) =>
    first(
      sql,
      `SELECT state, jsonb_array_length(wanted->'packages') AS packages,
              jsonb_array_length(wanted->'additional_items') AS additional_items,
              jsonb_array_length(wanted->'custom_fields') AS custom_fields,
              (SELECT count(*)::int FROM deliveries WHERE lane = $2 AND state IN ('pending', 'sending')) AS deliveries
       FROM catalogs WHERE account_id = $1`,
      [params.account_id, laneOfAccount(params.account_id)],
    ),
}

interface OfTenant {
  tenant_key: string
  app_id?: string | undefined
}

export const ofAgreement = <Where extends 'body' | 'query'>(where: Where) =>
  ({
    subject: ({ params }) => `agreement:${params.id}`,
    look: (sql, { params, [where]: of }, parts) =>
      first(
        sql,
        `SELECT app_id, tenant_key, state, modify_time::text, deleted FROM agreements
         WHERE app_id = ANY($1) AND tenant_key = $2 AND agreement_id = $3 LIMIT 1`,
        [appIds(parts, of), of.tenant_key, params.id],
      ),
  }) satisfies Audit<{ params: { id: string } } & Record<Where, OfTenant>>

/** Before it is created an agreement has no row: the delivery that creates it stands for it. */
export const ofCreation: Audit<{ body: OfTenant & { application_id: string } }> = {
  subject: ({ body }) => `application:${body.application_id}`,
  look: (sql, { body: { application_id: applicationId, ...of } }, parts) => {
    const key = { tenantKey: of.tenant_key, applicationId }
    const lanes = appIds(parts, of).map((appId) => laneOfApplication({ ...key, appId }).lane)
    return first(
      sql,
      `SELECT app_id, tenant_key, id::text AS delivery_id, state FROM deliveries
       WHERE lane = ANY($1) ORDER BY id DESC LIMIT 1`,
      [lanes],
    )
  },
}

/** The app that was named, or any. */
function appIds({ config }: Pick<Parts, 'config'>, { app_id: named = '' }: OfTenant): string[] {
  return named === '' ? config.feishu.apps.map((app) => app.appId) : [named]
}

export const ofSweeps: Audit<{ body: { app_id?: string | undefined; tenant_key?: string | undefined } }> = {
  subject: ({ body }) => ['sweeps', body.app_id, body.tenant_key].filter(Boolean).join(':'),
  look: (sql) => first(sql, 'SELECT count(*)::int AS due FROM sweeps WHERE due_at <= now()', []),
}

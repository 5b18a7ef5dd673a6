import { z } from 'zod'
import type { Parts } from '../../app.js'
import { orderFormShape, read, someCatalogShape } from '../../flow/catalog/shapes.js'
import { relabelFields, type Wanted, wantCatalog } from '../../flow/catalog/sync.js'
import { wakePumps } from '../../flow/to-feishu/wake-pumps.js'
import type { Sql } from '../../platform/database/database.js'
import type { Written } from './audited.js'
import { planLine } from './catalog-shape.js'
import { ofCatalog } from './looks.js'
import { type Complaint, type Problem, problem } from './problems.js'
import { type Answer, none, ok, type Route, route, unknownId } from './route.js'
import { ownId } from './shapes.js'
import { feishuId, flag } from './values.js'

const params = z.object({ account_id: feishuId })
const catalog = someCatalogShape.shape

/** A member that is checked with all others later, so that everything that does not fit is said at once. */
function later(shape: z.ZodType) {
  const { $schema: _, ...documented } = z.toJSONSchema(shape)
  return z.unknown().meta(documented).optional()
}

export const planned = z
  .object({ plan: z.array(planLine), delivery_ids: z.array(ownId) })
  .meta({ id: 'CatalogPlan', description: 'All calls on the way; a dry run has no ids' })

const putCatalog = route({
  id: 'accounts.put_catalog',
  method: 'PUT',
  path: '/v1/accounts/{account_id}/catalog',
  summary:
    'Says how packages, additional items and order form fields of an account should be; the fewest calls go there',
  scopes: ['operate'],
  status: 202,
  params,
  query: z.object({ dry_run: flag.optional() }),
  body: z.looseObject({
    packages: later(catalog.packages),
    additional_items: later(catalog.additional_items),
    custom_fields: later(catalog.custom_fields),
    allow_irreversible: z.boolean('expected true or false').optional(),
    adopt: z.boolean('expected true or false').optional(),
  }),
  answer: planned,
  problems: ['not-found', 'catalog-irreversible', 'catalog-refused'],
  audit: ofCatalog,
  run: async (parts, { params: { account_id: id }, query, body }, write) => {
    const { allow_irreversible: allowIrreversible = false, adopt = false, ...given } = body
    const asked = read(someCatalogShape, given)
    const terms = { allowIrreversible, adopt, dryRun: query.dry_run ?? false }
    const want = async (sql: Sql): Promise<Wanted> =>
      asked.kind === 'misfit'
        ? { kind: 'refused', complaints: asked.complaints }
        : wantCatalog(sql, parts.sealer, id, { catalog: asked.value, ...terms })
    return answerOf(parts, await write(want, judge, terms.dryRun ? 'never' : 'always'))
  },
})

const patchFields = route({
  id: 'accounts.relabel_fields',
  method: 'PATCH',
  path: '/v1/accounts/{account_id}/custom-fields',
  summary: 'Changes names and descriptions of the order form fields: the full list in its stored order',
  scopes: ['operate'],
  status: 202,
  params,
  query: none,
  body: z.looseObject({ custom_field_list: later(orderFormShape.shape.custom_field_list) }),
  answer: planned,
  problems: ['not-found', 'catalog-refused'],
  audit: ofCatalog,
  run: async (parts, { params: { account_id: id }, body }, write) =>
    answerOf(parts, await write((sql) => relabelFields(sql, parts.sealer, id, body), judge)),
})

function judge(wanted: Wanted) {
  switch (wanted.kind) {
    case 'unknown_account':
      return unknownId
    case 'refused':
      return refused(wanted.complaints)
    case 'irreversible':
      return {
        ...problem('catalog-irreversible', 'nothing was sent: repeat it with "allow_irreversible": true'),
        plan: wanted.plan,
      }
    case 'wanted':
      return wanted
  }
}

function answerOf(
  { hints }: Parts,
  written: Written<Extract<Wanted, { kind: 'wanted' }>>,
): Answer<z.output<typeof planned>> {
  if (written.kind === 'problem') return written
  wakePumps(hints, written.result.buckets)
  return ok({ plan: written.result.plan, delivery_ids: written.result.deliveryIds })
}

function refused(errors: readonly Complaint[]): Problem {
  return { ...problem('catalog-refused', 'nothing was sent; errors says all that does not fit'), errors }
}

export const catalogRoutes: readonly Route[] = [putCatalog, patchFields]

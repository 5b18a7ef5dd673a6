import { z } from 'zod'
import type { Parts } from '../../app.js'
import { orderFormShape, read, someCatalogShape } from '../../flow/catalog/shapes.js'
import { relabelFields, type Wanted, wantCatalog } from '../../flow/catalog/sync.js'
import { wakePumps } from '../../flow/to-feishu/wake-pumps.js'
import { type Complaint, type Problem, problem } from './problems.js'
import { type Answer, none, ok, type Route, route, unknownId } from './route.js'
import { feishuId, flag } from './values.js'

const params = z.object({ account_id: feishuId })
const catalog = someCatalogShape.shape

/** A member that is checked with all others later, so that everything that does not fit is said at once. */
function later(shape: z.ZodType) {
  const { $schema: _, ...documented } = z.toJSONSchema(shape)
  return z.unknown().meta(documented).optional()
}

const putCatalog = route({
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
  run: async (parts, { params: { account_id: id }, query, body }) => {
    const { allow_irreversible: allowIrreversible = false, adopt = false, ...given } = body
    const asked = read(someCatalogShape, given)
    if (asked.kind === 'misfit') return refused(asked.complaints)
    const wish = { catalog: asked.value, allowIrreversible, adopt, dryRun: query.dry_run ?? false }
    const { database, sealer } = parts
    return answerOf(parts, await database.transaction((sql) => wantCatalog(sql, sealer, id, wish)))
  },
})

const patchFields = route({
  method: 'PATCH',
  path: '/v1/accounts/{account_id}/custom-fields',
  summary: 'Changes names and descriptions of the order form fields: the full list in its stored order',
  scopes: ['operate'],
  status: 202,
  params,
  query: none,
  body: z.looseObject({ custom_field_list: later(orderFormShape.shape.custom_field_list) }),
  run: async (parts, { params: { account_id: id }, body }) => {
    const { database, sealer } = parts
    return answerOf(parts, await database.transaction((sql) => relabelFields(sql, sealer, id, body)))
  },
})

function answerOf({ hints }: Parts, wanted: Wanted): Answer {
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
      wakePumps(hints, wanted.buckets)
      return ok({ plan: wanted.plan, delivery_ids: wanted.deliveryIds })
  }
}

function refused(errors: readonly Complaint[]): Problem {
  return { ...problem('catalog-refused', 'nothing was sent; errors says all that does not fit'), errors }
}

export const catalogRoutes: readonly Route[] = [putCatalog, patchFields]

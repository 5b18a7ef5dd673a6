import { z } from 'zod'
import { type Erased, eraseOrder } from '../../flow/personal-data/erase.js'
import { exportOrder, type PersonalData } from '../../flow/personal-data/export.js'
import type { Person } from '../../flow/vendor/adapter.js'
import { answerArchivedInShort } from './archived-order.js'
import { by } from './audited.js'
import { order, showOrder } from './order-shape.js'
import { type Problem, problem } from './problems.js'
import { noBody, none, ok, type Route, route, unknownId } from './route.js'
import { given, listed, ownId, time, timeOf } from './shapes.js'
import { feishuId, flag } from './values.js'

const params = z.object({ background_check_id: feishuId })
const path = '/v1/orders/{background_check_id}/personal-data'

const person = z.object({
  name: z.string().optional(),
  first_name: z.string().optional(),
  last_name: z.string().optional(),
  email: z.string().optional(),
  mobile: z.object({ code: z.string().optional(), number: z.string().optional() }).optional(),
})

const placedWith = z
  .object({
    account_id: z.string(),
    package_id: z.string(),
    additional_item_ids: z.array(z.string()),
    candidate: person,
    contact: person,
    custom_fields: z.record(z.string(), z.string()),
    comment: z.string(),
  })
  .meta({ description: 'What the order was placed with' })

export const personalData = z
  .object({
    background_check_id: z.string(),
    exported_at: time,
    order: placedWith.nullable(),
    cancel_reason: z.string().optional().meta({ description: 'What a cancel that is owed to the vendor says' }),
    failure: z.string().optional().meta({ description: 'Why the order failed' }),
    deliveries: z
      .array(z.object({ id: ownId, api: z.string(), state: z.string(), request: z.record(z.string(), z.unknown()) }))
      .meta({ description: 'Stages and results, with report links, that were sent to Feishu or are to be' }),
    events: z
      .array(
        z.object({
          id: ownId,
          type: z.string(),
          state: listed(['new', 'ignored', 'failed']),
          received_at: time,
          payload: z.unknown(),
        }),
      )
      .meta({ description: 'Events that failed or were ignored, and were kept for that' }),
  })
  .meta({ id: 'PersonalData', description: 'Everything personal that is held about a background check' })

const exportOne = route({
  id: 'orders.export',
  method: 'GET',
  path,
  summary: 'Everything personal that is held about a background check; audited',
  scopes: ['reveal'],
  status: 200,
  params,
  query: none,
  body: noBody,
  answer: personalData,
  problems: ['not-found', 'erased'],
  run: async ({ database, sealer }, request) => {
    const { background_check_id: id } = request.params
    const exported = await database.transaction((sql) => exportOrder(sql, sealer, id, by(request)))
    if (exported.kind === 'exported') return ok(show(exported.data))
    if (exported.kind === 'unknown') return unknownId
    return problem('erased', 'nothing personal is held about this check any more')
  },
})

function show({ order, ...data }: PersonalData): z.input<typeof personalData> {
  return {
    background_check_id: data.backgroundCheckId,
    exported_at: timeOf(new Date()),
    order: order && showPlaced(order),
    ...given('cancel_reason', data.cancelReason),
    ...given('failure', data.failure),
    deliveries: data.deliveries.map(({ request, ...rest }) => ({ ...rest, request: { ...request } })),
    events: data.events.map(({ receivedAt, ...rest }) => ({ ...rest, received_at: timeOf(receivedAt) })),
  }
}

function showPlaced(order: NonNullable<PersonalData['order']>): z.input<typeof placedWith> {
  return {
    account_id: order.accountId,
    package_id: order.packageId,
    additional_item_ids: order.additionalItemIds,
    candidate: showPerson(order.candidate),
    contact: showPerson(order.contact),
    custom_fields: order.customFields,
    comment: order.comment,
  }
}

function showPerson({ name, firstName, lastName, email, mobile }: Person): z.input<typeof person> {
  return {
    ...given('name', name),
    ...given('first_name', firstName),
    ...given('last_name', lastName),
    ...given('email', email),
    ...given('mobile', mobile),
  }
}

const eraseOne = route({
  id: 'orders.erase',
  method: 'DELETE',
  path,
  summary: 'Erases everything personal that is held about a background check, for ever; force ends an open order here',
  scopes: ['erase'],
  status: 202,
  params,
  query: z.object({ force: flag.optional() }),
  body: noBody,
  answer: order,
  problems: ['not-found', 'order-open'],
  audit: 'by itself',
  run: async (parts, request) => {
    const { background_check_id: id } = request.params
    const how = { force: request.query.force ?? false, who: by(request) }
    const erased = await parts.database.transaction((sql) => eraseOrder(sql, id, how))
    const refusal = refusalOf(erased)
    if (refusal !== null) return refusal
    const living = await showOrder(parts, id)
    return living === null ? answerArchivedInShort(parts, id) : ok(living)
  },
})

function refusalOf(erased: Erased): Problem | null {
  if (erased.kind === 'unknown') return unknownId
  if (erased.kind === 'erased') return null
  return problem(
    'order-open',
    `the order is ${erased.state}: cancel it in Feishu first, or end it here with force=true`,
  )
}

export const personalDataRoutes: readonly Route[] = [exportOne, eraseOne]

import type { Answer } from './answers.js'
import type { HireApiName } from './apis.js'
import type { Body } from './bodies.js'
import type { HireCall } from './door.js'
import { listOrders, queryOrders } from './order-reads.js'
import type { World } from './world.js'

/** What a call does: its body has been checked against the schema of its name. */
export function effectOf(world: World, name: HireApiName, { caller, body, query, params }: HireCall): Answer {
  const { orders, catalog, accountFields, agreements } = world
  const { tenantKey } = caller
  switch (name) {
    case 'update_progress':
      return orders.updateProgress(caller, body as Body<typeof name>)
    case 'update_result':
      return orders.updateResult(caller, body as Body<typeof name>)
    case 'cancel':
      return world.cancelByVendor(caller, body as Body<typeof name>)
    case 'custom_fields.create':
      return catalog.createFields(caller, body as Body<typeof name>)
    case 'custom_fields.batch_update':
      return catalog.updateFields(caller, body as Body<typeof name>)
    case 'custom_fields.batch_delete':
      return catalog.deleteFields(caller, body as Body<typeof name>)
    case 'packages.create':
      return catalog.createPackages(caller, body as Body<typeof name>)
    case 'packages.batch_update':
      return catalog.updatePackages(caller, body as Body<typeof name>)
    case 'packages.batch_delete':
      return catalog.deletePackages(caller, body as Body<typeof name>)
    case 'account_custom_fields.create':
      return accountFields.create(caller, body as Body<typeof name>)
    case 'account_custom_fields.batch_update':
      return accountFields.update(caller, body as Body<typeof name>)
    case 'account_custom_fields.batch_delete':
      return accountFields.delete(caller, body as Body<typeof name>)
    case 'tripartite_agreements.create':
      return agreements.create(tenantKey, body as Body<typeof name>)
    case 'tripartite_agreements.list':
      return agreements.list(tenantKey, query)
    case 'tripartite_agreements.update':
      return agreements.update(tenantKey, params.id ?? '', body as Body<typeof name>)
    case 'tripartite_agreements.delete':
      return agreements.delete(tenantKey, params.id ?? '')
    case 'background_check_orders.list':
      return listOrders(orders.ofTenant(tenantKey), query)
    case 'background_check_orders.batch_query':
      return queryOrders(orders.ofTenant(tenantKey), query, body as Body<typeof name>)
  }
}

import type { AccountToBind, OrderToPlace, Person } from './adapter.js'

/** The bodies of docs/vendor-api.md; what is undefined is left out of the JSON. */

export function accountBody(account: AccountToBind) {
  return {
    account_id: account.accountId,
    tenant_key: account.tenantKey,
    account_name: account.accountName,
    usage_list: account.usageList,
    custom_fields: account.customFields,
  }
}

export function orderBody(order: OrderToPlace) {
  return {
    background_check_id: order.backgroundCheckId,
    account_id: order.accountId,
    tenant_key: order.tenantKey,
    package_id: order.packageId,
    additional_item_ids: order.additionalItemIds,
    candidate: personBody(order.candidate),
    contact: personBody(order.contact),
    custom_fields: order.customFields,
    comment: order.comment,
  }
}

function personBody({ name, firstName, lastName, email, mobile }: Person) {
  return { name, first_name: firstName, last_name: lastName, email, mobile }
}

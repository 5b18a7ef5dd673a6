import { NotThere } from '../support/refusals.js'
import type { Answer } from './answers.js'
import { accept, refuse } from './answers.js'
import type { Body } from './bodies.js'
import type { Caller } from './orders.js'
import type { Switches } from './switches.js'

type CatalogItem = Body<'packages.create'>['package_list'][number]
type CustomField = Body<'custom_fields.create'>['custom_field_list'][number]

/** An account that a customer made for the vendor (contract §1.2), with what hangs on it. */
export type SandboxAccount = {
  accountId: string
  appId: string
  tenantKey: string
  scope: 1 | 2
  name: string
  packages: CatalogItem[]
  additionalItems: CatalogItem[]
  customFields: CustomField[]
  /** Ids and keys that were deleted: they can never be used again (contract §3.5, §3.6). */
  deletedPackages: string[]
  deletedAdditionalItems: string[]
  deletedFieldKeys: string[]
}

type ItemSet = { items: CatalogItem[]; deleted: string[]; what: string }

/** Packages, additional items and order form fields of each account (contract §3.5, §3.6). */
export class Catalog {
  #accounts = new Map<string, SandboxAccount>()
  #switches: Switches

  constructor(switches: Switches) {
    this.#switches = switches
  }

  add(account: SandboxAccount): void {
    this.#accounts.set(account.accountId, account)
  }

  accounts(): SandboxAccount[] {
    return [...this.#accounts.values()]
  }

  account(accountId: string): SandboxAccount {
    const account = this.#accounts.get(accountId)
    if (!account) throw new NotThere(`no account ${accountId} in this sandbox; make one with createAccount`)
    return account
  }

  createPackages(caller: Caller, body: Body<'packages.create'>): Answer {
    const account = this.#own(caller, body.account_id)
    if (!account) return refuse('parameterOrSystemError', `account package not found: no account ${body.account_id}`)
    const replace = this.#switches.packagesCreate === 'replace'
    const wrong = setsOf(account, body).flatMap(({ set, given }) => notCreatable(set, given, replace))
    if (wrong.length > 0) return refuse('parameterOrSystemError', wrong.join(', '))
    account.packages = [...(replace ? [] : account.packages), ...body.package_list]
    account.additionalItems = [...(replace ? [] : account.additionalItems), ...(body.additional_item_list ?? [])]
    return accept({})
  }

  /** What is not named stays as it was (contract §3.6 leaves it open). */
  updatePackages(caller: Caller, body: Body<'packages.batch_update'>): Answer {
    const account = this.#own(caller, body.account_id)
    if (!account) return refuse('parameterOrSystemError', `account package not found: no account ${body.account_id}`)
    const wrong = setsOf(account, body).flatMap(({ set, given }) => missing(set, given))
    if (wrong.length > 0) return refuse('parameterOrSystemError', wrong.join(', '))
    for (const { set, given } of setsOf(account, body)) {
      for (const item of given) set.items[set.items.findIndex((one) => one.id === item.id)] = item
    }
    return accept({})
  }

  deletePackages(caller: Caller, body: Body<'packages.batch_delete'>): Answer {
    const account = this.#own(caller, body.account_id)
    if (!account) return refuse('packageNotFound', `no account ${body.account_id}`)
    const packageIds = body.package_id_list ?? []
    const itemIds = body.additional_item_id_list ?? []
    const unknown = [
      ...packageIds.filter((id) => !account.packages.some((one) => one.id === id)),
      ...itemIds.filter((id) => !account.additionalItems.some((one) => one.id === id)),
    ]
    if (unknown.length > 0) return refuse('packageNotFound', unknown.join(', '))
    account.packages = account.packages.filter((one) => !packageIds.includes(one.id))
    account.additionalItems = account.additionalItems.filter((one) => !itemIds.includes(one.id))
    account.deletedPackages.push(...packageIds)
    account.deletedAdditionalItems.push(...itemIds)
    return accept({})
  }

  createFields(caller: Caller, body: Body<'custom_fields.create'>): Answer {
    const account = this.#own(caller, body.account_id)
    if (!account) return refuse('fieldExists', `no account ${body.account_id}`)
    if (account.customFields.length > 0 && this.#switches.customFieldsCreate === 'refuse_1002855') {
      return refuse('fieldExists', `account ${account.accountId} has fields already`)
    }
    const keys = body.custom_field_list.map((field) => field.key)
    const wrong = [
      ...repeated(keys).map((key) => `key ${key} is there twice`),
      ...keys
        .filter((key) => account.deletedFieldKeys.includes(key))
        .map((key) => `key ${key} was deleted, never to be used again`),
      ...body.custom_field_list.flatMap(repeatedOptions),
    ]
    if (wrong.length > 0) return refuse('fieldExists', wrong.join(', '))
    account.customFields = body.custom_field_list
    return accept({})
  }

  /** Names and descriptions only: keys, types and the length of the list are fixed (contract §3.5). */
  updateFields(caller: Caller, body: Body<'custom_fields.batch_update'>): Answer {
    const account = this.#own(caller, body.account_id)
    if (!account) return refuse('parameterOrSystemError', `no account ${body.account_id}`)
    const stored = account.customFields
    if (body.custom_field_list.length !== stored.length) {
      const came = body.custom_field_list.length
      return refuse('parameterOrSystemError', `custom_field_list: expected ${stored.length} fields; ${came} came`)
    }
    const wrong = body.custom_field_list.flatMap((field) => {
      const known = stored.find((one) => one.key === field.key)
      if (!known) return [`field ${field.key} does not exist`]
      return known.type === field.type
        ? []
        : [`field ${field.key} is a ${known.type} and cannot become a ${field.type}`]
    })
    wrong.push(...repeated(body.custom_field_list.map((field) => field.key)).map((key) => `key ${key} is there twice`))
    if (wrong.length > 0) return refuse('parameterOrSystemError', wrong.join(', '))
    account.customFields = stored.map((known) => relabel(known, body.custom_field_list))
    return accept({})
  }

  deleteFields(caller: Caller, body: Body<'custom_fields.batch_delete'>): Answer {
    const account = this.#own(caller, body.account_id)
    if (!account) return refuse('fieldNotDeletable', `no account ${body.account_id}`)
    if (account.customFields.length === 0) return refuse('fieldNotDeletable', `account ${account.accountId} has none`)
    account.deletedFieldKeys.push(...account.customFields.map((field) => field.key))
    account.customFields = []
    return accept({})
  }

  #own({ appId, tenantKey }: Caller, accountId: string): SandboxAccount | undefined {
    const account = this.#accounts.get(accountId)
    return account && account.appId === appId && account.tenantKey === tenantKey ? account : undefined
  }
}

function setsOf(account: SandboxAccount, body: Body<'packages.create'>): Array<{ set: ItemSet; given: CatalogItem[] }> {
  const { packages, deletedPackages, additionalItems, deletedAdditionalItems } = account
  return [
    { set: { items: packages, deleted: deletedPackages, what: 'package' }, given: body.package_list },
    {
      set: { items: additionalItems, deleted: deletedAdditionalItems, what: 'additional item' },
      given: body.additional_item_list ?? [],
    },
  ]
}

function notCreatable({ items, deleted, what }: ItemSet, given: CatalogItem[], replace: boolean): string[] {
  const ids = given.map((item) => item.id)
  const taken = replace ? [] : ids.filter((id) => items.some((item) => item.id === id))
  return [
    ...repeated(ids).map((id) => `${what} ${id} is there twice`),
    ...taken.map((id) => `${what} ${id} exists already`),
    ...ids.filter((id) => deleted.includes(id)).map((id) => `${what} ${id} was deleted, never to be used again`),
  ]
}

function missing({ items, what }: ItemSet, given: CatalogItem[]): string[] {
  return given.filter(({ id }) => !items.some((item) => item.id === id)).map(({ id }) => `no ${what} ${id}`)
}

function relabel(known: CustomField, given: CustomField[]): CustomField {
  const { description: _, ...kept } = known
  const change = given.find((field) => field.key === known.key)
  if (!change) return known
  return { ...kept, name: change.name, ...(change.description ? { description: change.description } : {}) }
}

function repeatedOptions({ key, options }: CustomField): string[] {
  return repeated((options ?? []).map((option) => option.key)).map(
    (option) => `option ${option} of ${key} is there twice`,
  )
}

export function repeated(values: readonly string[]): string[] {
  return [...new Set(values.filter((value, index) => values.indexOf(value) !== index))]
}

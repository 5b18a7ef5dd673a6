import type { Answer } from './answers.js'
import { accept, refuse } from './answers.js'
import type { Body } from './bodies.js'
import { repeated } from './catalog.js'
import type { Caller } from './orders.js'

export type AccountField = Body<'account_custom_fields.create'>['custom_field_list'][number]
type FieldSet = { fields: AccountField[]; deletedKeys: string[] }

/** What customers fill in when they bind an account (contract §3.7); kept for each app, tenant and scope. */
export class AccountFields {
  #sets = new Map<string, FieldSet>()

  list({ appId, tenantKey }: Caller, scope: 1 | 2): AccountField[] {
    return this.#set({ appId, tenantKey }, scope).fields
  }

  /** Full replacement, the last call wins. */
  create(caller: Caller, body: Body<'account_custom_fields.create'>): Answer {
    const set = this.#set(caller, body.scope)
    const keys = body.custom_field_list.map((field) => field.key)
    const wrong = [
      ...repeated(keys).map((key) => `key ${key} is there twice`),
      ...keys
        .filter((key) => set.deletedKeys.includes(key))
        .map((key) => `key ${key} was deleted, never to be used again`),
    ]
    if (wrong.length > 0) return refuse('systemError', wrong.join(', '))
    set.fields = body.custom_field_list
    return accept({})
  }

  /** Names and descriptions only; `is_required` has no effect here. */
  update(caller: Caller, body: Body<'account_custom_fields.batch_update'>): Answer {
    const set = this.#set(caller, body.scope)
    const unknown = body.custom_field_list.filter(({ key }) => !set.fields.some((field) => field.key === key))
    if (unknown.length > 0) return refuse('systemError', `no field ${unknown.map(({ key }) => key).join(', ')}`)
    set.fields = set.fields.map((field) => {
      const change = body.custom_field_list.find(({ key }) => key === field.key)
      return change ? { ...change, is_required: field.is_required } : field
    })
    return accept({})
  }

  delete(caller: Caller, body: Body<'account_custom_fields.batch_delete'>): Answer {
    const set = this.#set(caller, body.scope)
    const keys = body.custom_field_key_list ?? []
    const unknown = keys.filter((key) => !set.fields.some((field) => field.key === key))
    if (unknown.length > 0) return refuse('systemError', `no field ${unknown.join(', ')}`)
    const left = set.fields.filter(({ key }) => !keys.includes(key))
    if (keys.length > 0 && left.length === 0) return refuse('systemError', 'at least one field has to remain')
    set.fields = left
    set.deletedKeys.push(...keys)
    return accept({})
  }

  #set({ appId, tenantKey }: Caller, scope: 1 | 2): FieldSet {
    const key = `${appId}|${tenantKey}|${scope}`
    const set = this.#sets.get(key) ?? { fields: [], deletedKeys: [] }
    this.#sets.set(key, set)
    return set
  }
}

import type { Verb } from '../verb.js'
import { filter, paging, tenant } from './flags.js'

const account = [{ name: 'account_id', shown: '<account_id>' }]

export const accountVerbs: readonly Verb[] = [
  {
    noun: 'accounts',
    verb: 'ls',
    about: 'accounts that customers bound, newest first',
    operation: 'accounts.list',
    flags: [filter('state', 'in one state'), tenant, ...paging],
    columns: ['account_id', 'account_name', 'state', 'customer_id', 'tenant_key', 'updated_at'],
  },
  {
    noun: 'accounts',
    verb: 'show',
    about: 'one account and its catalog',
    operation: 'accounts.read',
    ids: account,
  },
  {
    noun: 'accounts',
    verb: 'bind',
    about: 'ask the vendor anew which customer it is',
    operation: 'accounts.bind',
    ids: account,
    done: 'the vendor will be asked for {id}',
  },
]

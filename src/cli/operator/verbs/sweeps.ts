import type { Verb } from '../verb.js'
import { filter, paging, tenant } from './flags.js'

export const sweepVerbs: readonly Verb[] = [
  {
    noun: 'sweeps',
    verb: 'ls',
    about: 'whose orders in Feishu are compared with those here, and when they were',
    operation: 'sweeps.list',
    flags: [filter('permission', 'whether they can be read'), tenant, ...paging],
    columns: ['tenant_key', 'app_id', 'permission', 'reason', 'last_error', 'finished_at', 'due_at'],
  },
  {
    noun: 'sweeps',
    verb: 'run',
    about: 'compare now, all or one tenant',
    operation: 'sweeps.run',
    flags: [{ ...tenant, into: 'body' }],
    always: { body: {} },
  },
]

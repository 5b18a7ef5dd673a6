import type { Verb } from '../verb.js'
import { filter, own, paging } from './flags.js'

export const holdVerbs: readonly Verb[] = [
  {
    noun: 'holds',
    verb: 'ls',
    about: 'what is parked: tenants, apps, methods, the vendor',
    operation: 'holds.list',
    flags: [filter('state', 'open when left out', ['open', 'released']), ...paging],
    columns: ['id', 'scope', 'app_id', 'tenant_key', 'api', 'reason', 'code', 'created_at'],
  },
  {
    noun: 'holds',
    verb: 'release',
    about: 'let it go on',
    operation: 'holds.release',
    ids: own,
    done: 'hold {id} is released',
  },
]

import { findingKinds, findingStates } from '../../../flow/findings.js'
import type { Verb } from '../verb.js'
import { filter, own, paging, tenant } from './flags.js'

export const findingVerbs: readonly Verb[] = [
  {
    noun: 'findings',
    verb: 'ls',
    about: 'what differs between Feishu or the vendor and this service',
    operation: 'findings.list',
    flags: [
      filter('state', 'in one state', findingStates),
      filter('kind', 'of one kind', findingKinds),
      tenant,
      ...paging,
    ],
    columns: ['id', 'kind', 'state', 'background_check_id', 'tenant_key', 'found_at'],
  },
  {
    noun: 'findings',
    verb: 'dismiss',
    about: 'somebody looked at it',
    operation: 'findings.dismiss',
    ids: own,
    done: 'finding {id} is dismissed',
  },
]

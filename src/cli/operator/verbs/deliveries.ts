import type { Verb } from '../verb.js'
import { filter, own, paging, tenant } from './flags.js'

export const deliveryVerbs: readonly Verb[] = [
  {
    noun: 'deliveries',
    verb: 'ls',
    about: 'what was, is and could not be sent to Feishu, newest first',
    operation: 'deliveries.list',
    flags: [
      filter('state', 'in one state'),
      filter('class', 'dead ones that one can mend'),
      filter('api', 'of one method'),
      tenant,
      ...paging,
    ],
    columns: ['id', 'api', 'state', 'class', 'attempts', 'background_check_id', 'tenant_key', 'created_at'],
  },
  {
    noun: 'deliveries',
    verb: 'show',
    about: 'one delivery; its request masked',
    operation: 'deliveries.read',
    ids: own,
    flags: [{ flag: '--reveal', about: 'show its request; audited', into: 'query', name: 'reveal' }],
  },
  {
    noun: 'deliveries',
    verb: 'retry',
    about: 'send a dead one again',
    operation: 'deliveries.retry',
    ids: own,
    done: 'delivery {id} waits to be sent again',
  },
  {
    noun: 'deliveries',
    verb: 'retry-many',
    about: 'send again the dead ones that the filters name',
    operation: 'deliveries.retry_many',
    flags: [
      { ...filter('class', 'that one can mend'), into: 'filter' },
      { ...filter('api', 'of one method'), into: 'filter' },
      { ...tenant, into: 'filter' },
      { ...filter('background_check_id', 'of one order'), into: 'filter' },
      { flag: '--dry-run', about: 'say which they are, and send nothing', into: 'body', name: 'dry_run' },
    ],
    always: { body: { filter: {} } },
  },
]

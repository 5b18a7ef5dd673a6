import type { Verb } from '../verb.js'
import { filter, own, paging } from './flags.js'

export const eventVerbs: readonly Verb[] = [
  {
    noun: 'events',
    verb: 'ls',
    about: 'events that Feishu pushed, newest first',
    operation: 'events.list',
    flags: [filter('state', 'in one state'), filter('type', 'of one type'), ...paging],
    columns: ['id', 'type', 'state', 'attempts', 'tenant_key', 'received_at', 'error'],
  },
  {
    noun: 'events',
    verb: 'retry',
    about: 'process a failed one again',
    operation: 'events.retry',
    ids: own,
    done: 'event {id} will be processed again',
  },
]

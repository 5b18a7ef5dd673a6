import type { Verb } from '../verb.js'
import { filter, paging } from './flags.js'

export const auditVerbs: readonly Verb[] = [
  {
    noun: 'audit',
    verb: 'ls',
    about: 'who did what to what, newest first',
    operation: 'audit.list',
    flags: [
      filter('subject', 'to one thing, as order:<id>'),
      filter('actor', 'by one'),
      filter('action', 'of one kind'),
      ...paging,
    ],
    columns: ['at', 'actor', 'via', 'action', 'subject', 'outcome'],
  },
]

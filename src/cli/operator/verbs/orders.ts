import type { Verb } from '../verb.js'
import { filter, paging, tenant } from './flags.js'

const check = [{ name: 'background_check_id', shown: '<background_check_id>' }]

export const orderVerbs: readonly Verb[] = [
  {
    noun: 'orders',
    verb: 'ls',
    about: 'orders, newest first',
    operation: 'orders.list',
    flags: [
      filter('state', 'in one state'),
      filter('attention', 'with a flag; true for any, false for none'),
      tenant,
      filter('account_id', 'of one account'),
      filter('q', 'whose id at Feishu or the vendor begins so'),
      ...paging,
    ],
    columns: ['background_check_id', 'state', 'attention', 'vendor_order_id', 'tenant_key', 'updated_at'],
  },
  {
    noun: 'orders',
    verb: 'show',
    about: 'one order with its timeline and deliveries',
    operation: 'orders.read',
    ids: check,
  },
  {
    noun: 'orders',
    verb: 'poll',
    about: 'ask the vendor for it now',
    operation: 'orders.poll',
    ids: check,
    done: 'the vendor will be asked for {id}',
  },
  {
    noun: 'orders',
    verb: 'retry',
    about: 'place a failed order again',
    operation: 'orders.retry',
    ids: check,
    done: '{id} will be placed again',
  },
  {
    noun: 'orders',
    verb: 'cancel',
    about: 'stop the check in Feishu; the vendor is told, too',
    operation: 'orders.cancel',
    ids: check,
    flags: [
      { flag: '--stage-name <text>', about: 'name of the last stage, which says so', into: 'body', name: 'stage_name' },
      { flag: '--reason <text>', about: 'what the vendor is told', into: 'body', name: 'reason' },
    ],
    done: '{id} is being stopped',
  },
  {
    noun: 'orders',
    verb: 'resend-result',
    about: 'send the result again, as the vendor says it now',
    operation: 'orders.resend_result',
    ids: check,
    done: 'the result of {id} will be sent again',
  },
  {
    noun: 'orders',
    verb: 'resend-stage',
    about: 'send a stage again, as the vendor says it now, under a new stage_id',
    operation: 'orders.resend_stage',
    ids: [...check, { name: 'stage_id', shown: '<stage_id>' }],
    done: 'the stage of {id} will be sent again',
  },
  {
    noun: 'orders',
    verb: 'export',
    about: 'everything personal that is held about a check, as JSON; audited',
    operation: 'orders.export',
    ids: check,
  },
]

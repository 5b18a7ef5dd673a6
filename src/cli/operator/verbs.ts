import { findingKinds, findingStates } from '../../flow/findings.js'

/** One command for an operation of /v1, on the database itself: it works while no service runs, too. */
export interface Verb {
  noun: string
  verb: string
  about: string
  /** Of src/operate/api/routes.ts. */
  operation: string
  /** What stands in the path, in the order in which it is typed: its name there, and how the help shows it. */
  ids?: ReadonlyArray<{ name: string; shown: string }>
  flags?: readonly Flag[]
  /** Name of a file argument whose JSON is the body. */
  file?: { shown: string; about: string }
  /** Sent along always. */
  always?: { query?: Readonly<Record<string, string>>; body?: Readonly<Record<string, unknown>> }
  /** Columns of a list; an answer without them is shown whole. */
  columns?: readonly string[]
  /** What is done, in words: `{id}` is the first id. Shown where the answer itself tells nothing new. */
  done?: string
}

export interface Flag {
  /** As commander has it. */
  flag: string
  about: string
  into: 'query' | 'body' | 'filter'
  name: string
  values?: readonly string[]
}

const check = [{ name: 'background_check_id', shown: '<background_check_id>' }]
const own = (shown: string) => [{ name: 'id', shown }]
const filter = (name: string, about: string, values?: readonly string[]): Flag => ({
  flag: `--${name.replaceAll('_', '-')} <${values === undefined ? 'text' : 'name'}>`,
  about,
  into: 'query',
  name,
  ...(values && { values }),
})
const paging: readonly Flag[] = [
  { flag: '--limit <n>', about: 'how many, 1 to 200', into: 'query', name: 'limit' },
  { flag: '--cursor <text>', about: 'what an earlier page ended with', into: 'query', name: 'cursor' },
]
const tenant = filter('tenant_key', 'of one tenant')

export const verbs: readonly Verb[] = [
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
    ids: own('<id>'),
    flags: [{ flag: '--reveal', about: 'show its request; audited', into: 'query', name: 'reveal' }],
  },
  {
    noun: 'deliveries',
    verb: 'retry',
    about: 'send a dead one again',
    operation: 'deliveries.retry',
    ids: own('<id>'),
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
    ids: own('<id>'),
    done: 'event {id} will be processed again',
  },
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
    ids: [{ name: 'account_id', shown: '<account_id>' }],
  },
  {
    noun: 'accounts',
    verb: 'bind',
    about: 'ask the vendor anew which customer it is',
    operation: 'accounts.bind',
    ids: [{ name: 'account_id', shown: '<account_id>' }],
    done: 'the vendor will be asked for {id}',
  },
  {
    noun: 'catalog',
    verb: 'plan',
    about: 'say which calls would lead from what Feishu holds to the catalog in a file, and make none',
    operation: 'accounts.put_catalog',
    ids: [{ name: 'account_id', shown: '<account_id>' }],
    file: {
      shown: '<file>',
      about: 'JSON: {"packages":[…],"additional_items":[…],"custom_fields":[…]}; - reads standard input',
    },
    always: { query: { dry_run: 'true' } },
  },
  {
    noun: 'catalog',
    verb: 'apply',
    about: 'leave those calls to the service, which sends them',
    operation: 'accounts.put_catalog',
    ids: [{ name: 'account_id', shown: '<account_id>' }],
    file: {
      shown: '<file>',
      about: 'JSON: {"packages":[…],"additional_items":[…],"custom_fields":[…]}; - reads standard input',
    },
    flags: [
      {
        flag: '--allow-irreversible',
        about: 'agree to calls that cannot be undone',
        into: 'body',
        name: 'allow_irreversible',
      },
      {
        flag: '--adopt',
        about: 'the catalog is in Feishu already, and only to be known here',
        into: 'body',
        name: 'adopt',
      },
    ],
  },
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
    ids: own('<id>'),
    done: 'hold {id} is released',
  },
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
    ids: own('<id>'),
    done: 'finding {id} is dismissed',
  },
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

import type { Verb } from '../verb.js'

const account = [{ name: 'account_id', shown: '<account_id>' }]
const file = {
  shown: '<file>',
  about: 'JSON: {"packages":[…],"additional_items":[…],"custom_fields":[…]}; - reads standard input',
}

export const catalogVerbs: readonly Verb[] = [
  {
    noun: 'catalog',
    verb: 'plan',
    about: 'say which calls would lead from what Feishu holds to the catalog in a file, and make none',
    operation: 'accounts.put_catalog',
    ids: account,
    file,
    always: { query: { dry_run: 'true' } },
  },
  {
    noun: 'catalog',
    verb: 'apply',
    about: 'leave those calls to the service, which sends them',
    operation: 'accounts.put_catalog',
    ids: account,
    file,
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
]

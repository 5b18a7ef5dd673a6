import type { Command } from 'commander'
import type { AddCommand, Cli } from './command.js'

interface Flags {
  tenant: string
  app?: string
  allowIrreversible?: boolean
  json?: boolean
}

export const addAccountFields: AddCommand = (program, cli) => {
  const fields = program
    .command('account-fields')
    .description('the form that customers of a tenant fill in when they bind the vendor')
  addVerb(fields, cli, 'plan', 'say which calls would lead from what Feishu holds to the form in a file, and make none')
  addVerb(fields, cli, 'apply', 'leave those calls to the service, which sends them').option(
    '--allow-irreversible',
    'agree to calls that take fields away for ever; without it, a terminal is asked',
  )
}

function addVerb(fields: Command, cli: Cli, verb: 'plan' | 'apply', description: string): Command {
  return fields
    .command(verb)
    .description(description)
    .argument(
      '<file>',
      'JSON: {"custom_field_list":[{"key","name","is_required","description"}]}; - reads standard input',
    )
    .requiredOption('--tenant <key>', 'the tenant, as its events name it')
    .option('--app <id>', 'the app; the only one when left out')
    .option('--json', 'print {"plan":[{"api","summary","irreversible"}],"delivery_ids":[…]}')
    .action(async (file: string, { tenant, app, allowIrreversible = false, json = false }: Flags) => {
      const { withDatabase } = await import('./with-database.js')
      const { readFormFile } = await import('./account-fields/form-file.js')
      const { runAccountFields } = await import('./account-fields/run.js')
      const form = await readFormFile(file)
      const options = { verb, tenantKey: tenant, app, allowIrreversible, json } as const
      cli.exitCode = await withDatabase((parts) => runAccountFields(parts, form, options, cli.io))
    })
}

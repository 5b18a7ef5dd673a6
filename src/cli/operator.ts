import { Option } from 'commander'
import type { AddCommand } from './command.js'
import type { Flag, Verb } from './operator/verb.js'
import { verbs } from './operator/verbs.js'

const nouns: Readonly<Record<string, string>> = {
  orders: 'background checks',
  deliveries: 'what goes to Feishu',
  events: 'what came from Feishu',
  accounts: 'customers who bound the vendor',
  catalog: 'packages, additional items and order form fields of an account',
  holds: 'what is parked',
  findings: 'what sweeps found',
  sweeps: "comparisons with Feishu's lists of orders",
  audit: 'who did what',
}

/** The commands that mend and look: one for each line of the table. */
export const addOperator: AddCommand = (program, cli) => {
  for (const [noun, about] of Object.entries(nouns)) {
    const command = program.command(noun).description(about)
    for (const verb of verbs.filter((each) => each.noun === noun)) {
      const one = command.command(verb.verb).description(verb.about)
      for (const { shown } of verb.ids ?? []) one.argument(shown)
      if (verb.file !== undefined) one.argument(verb.file.shown, verb.file.about)
      for (const flag of verb.flags ?? []) one.addOption(optionOf(flag))
      one.option('--json', 'print what /v1 answers').action(async (...given: unknown[]) => {
        const { runVerb } = await import('./operator/run.js')
        cli.exitCode = await runVerb(verb, readGiven(verb, given), cli.io)
      })
    }
  }
}

function optionOf({ flag, about, values }: Flag): Option {
  const option = new Option(flag, about)
  return values === undefined ? option : option.choices(values)
}

export interface Given {
  /** Ids and the file, as they were typed. */
  words: string[]
  flags: Readonly<Record<string, unknown>>
}

/** Commander gives the arguments, then the options, then itself. */
function readGiven(verb: Verb, given: readonly unknown[]): Given {
  const count = (verb.ids?.length ?? 0) + (verb.file === undefined ? 0 : 1)
  const flags = given[count]
  return {
    words: given.slice(0, count).map(String),
    flags: typeof flags === 'object' && flags !== null ? { ...flags } : {},
  }
}

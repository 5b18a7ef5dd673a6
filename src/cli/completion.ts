import { Argument, type Command } from 'commander'
import type { AddCommand } from './command.js'
import { shells } from './completion/shells.js'

export const addCompletion: AddCommand = (program, cli) => {
  program
    .command('completion')
    .description('print what makes a shell complete the words of bgc')
    .addArgument(new Argument('<shell>', 'the shell').choices(Object.keys(shells)))
    .addHelpText(
      'after',
      '\nIn bash: source <(bgc completion bash); zsh: the same with zsh; fish: bgc completion fish | source',
    )
    .action((shell: keyof typeof shells) => cli.io.out(shells[shell](wordsOf(program))))
}

/** What may come after each path of commands: `''` is after `bgc` itself. */
function wordsOf(command: Command, path = ''): Array<{ path: string; words: string[] }> {
  const options = command.options.flatMap(({ long, hidden }) => (long && !hidden ? [long] : []))
  const words = [...command.commands.map((each) => each.name()), ...options, '--help']
  return [
    { path, words },
    ...command.commands.flatMap((each) => wordsOf(each, path === '' ? each.name() : `${path} ${each.name()}`)),
  ]
}

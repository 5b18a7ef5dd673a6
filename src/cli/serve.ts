import type { AddCommand } from './command.js'

export const addServe: AddCommand = (program, cli) => {
  program
    .command('serve')
    .description('run the service, configured by the environment and .env, until SIGTERM or Ctrl-C')
    .action(async () => {
      const { serve } = await import('../serve.js')
      cli.exitCode = await serve()
    })
}

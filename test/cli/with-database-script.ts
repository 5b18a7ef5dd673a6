// A command of an operator in a process of its own: says how many accounts there are, then waits where it is told to.

import { exitCodes } from '../../src/cli/exit-codes.js'
import { explain } from '../../src/cli/explain.js'
import { withDatabase } from '../../src/cli/with-database.js'
import { ConfigError } from '../../src/config.js'

const say = (line: string) => void process.stdout.write(`${line}\n`)

try {
  await withDatabase(async ({ database, sealer, config }) => {
    const { rows } = await database.pool.query(
      'SELECT count(*)::int AS accounts, inet_server_port() AS port FROM accounts',
    )
    say(
      JSON.stringify({
        ...rows[0],
        sealed: sealer.seal(Buffer.from('x'), 'x')[0] === 1,
        app: config.feishu.apps[0]?.appId,
      }),
    )
    if (process.argv[2] === 'wait') {
      say('waiting')
      await new Promise((resolve) => setTimeout(resolve, 600_000).unref())
    }
  })
} catch (failure) {
  process.stderr.write(`${explain(failure)}\n`)
  process.exitCode = failure instanceof ConfigError ? exitCodes.configuration : exitCodes.failure
}

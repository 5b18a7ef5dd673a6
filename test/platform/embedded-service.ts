// A service of its own process, for what must be killed: says what happens as one JSON line each.
import { startEmbeddedPostgres } from '../../src/platform/embedded/postgres.js'

const say = (event: string, fields: object) => void process.stdout.write(`${JSON.stringify({ event, ...fields })}\n`)
const [dataDir = ''] = process.argv.slice(2)

try {
  const server = await startEmbeddedPostgres({ dataDir, log: say })
  // Keeps the process alive until it is told what to do.
  const idle = setInterval(() => undefined, 60_000)
  process.once('SIGTERM', () => {
    clearInterval(idle)
    void server.stop().then(() => say('stopped', {}))
  })
  process.once('SIGUSR2', () => process.exit(3))
  process.on('SIGINT', () => say('interrupted', {}))
  // Last: whoever hears it may send a signal at once.
  say('ready', { url: server.url })
} catch (error) {
  say('failed', { error: String(error) })
  process.exitCode = 1
}

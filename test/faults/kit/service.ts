// The service as a process of its own: src/main.ts, but that it asks Feishu after a lost answer within less time.
import { startApp } from '../../../src/app.js'
import { readConfig } from '../../../src/config.js'
import { createLogger } from '../../../src/platform/logger.js'

const config = readConfig()
const lookAfterMs = (process.env['LOOK_AFTER_MS'] ?? '100,400,1500').split(',').map(Number)
const app = await startApp(config, createLogger(config.logLevel), { lookAfterMs })
process.once('SIGTERM', () => {
  void app.stop().then(() => process.exit(0))
})
// Whoever runs the faults was killed.
process.stdin.on('end', () => process.exit(1)).resume()
// As src/serve.ts does: whoever starts processes starts another.
void app.failed.then((reason) => {
  process.stderr.write(`${reason}\n`)
  process.exit(1)
})

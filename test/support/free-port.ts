import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:net'

/** Below those that Linux gives to whoever asks for any port, so that none of those takes it before it is used. */
const range = { from: 15_000, to: 32_000 }
let next = randomInt(range.from, range.to)

/** A port that nobody listens on, and that this process is given once. */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < 100; tries += 1) {
    next = next + 1 < range.to ? next + 1 : range.from
    const port = next
    if (await isFree(port)) return port
  }
  throw new Error(`none of 100 ports before ${next} is free`)
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer()
  const opened = once(server, 'listening').then(
    () => true,
    () => false,
  )
  server.listen(port, '127.0.0.1')
  if (!(await opened)) return false
  server.close()
  await once(server, 'close')
  return true
}

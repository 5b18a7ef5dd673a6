import { Agent, request } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'

/** Posts to the counting server under a name, with a network that jitters both ways. */
export type Post = (maySend?: () => boolean) => Promise<boolean>

export function jitteringPost(url: string, name: string): Post {
  const agent = new Agent({ keepAlive: true })
  const way = () => 5 + 145 * Math.random() ** 2 + (Math.random() < 0.01 ? 400 : 0)
  return async (maySend = () => true) => {
    if (!maySend()) return false
    await sleep(way())
    await new Promise<void>((resolve, reject) => {
      const call = request(url, { method: 'POST', agent, headers: { authorization: `Bearer t-${name}` } }, (answer) => {
        answer.resume().on('end', () => resolve())
      })
      call.on('error', reject)
      call.end()
    })
    await sleep(way())
    return true
  }
}

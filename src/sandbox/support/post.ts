import { request as requestHttp } from 'node:http'
import { request as requestHttps } from 'node:https'

export type PostInput = {
  url: string
  method?: string
  headers: Record<string, string>
  body: Buffer
  /** The whole call, from the first byte to the last. */
  timeoutMs: number
}
export type PostOutcome =
  | { kind: 'answered'; status: number; body: string; headers: Record<string, string | string[] | undefined> }
  | { kind: 'timeout' }
  | { kind: 'unreachable'; reason: string }

/** One POST with a limit on its whole time; redirects are not followed. */
export async function post(input: PostInput): Promise<PostOutcome> {
  const outcome = await once(input)
  // An idle connection that the other side had closed says nothing about it: once more, on a new one.
  return outcome === 'stale' ? fresh(await once(input)) : outcome
}

function fresh(outcome: PostOutcome | 'stale'): PostOutcome {
  return outcome === 'stale' ? { kind: 'unreachable', reason: 'the connection was closed twice' } : outcome
}

function once({ url, method = 'POST', headers, body, timeoutMs }: PostInput): Promise<PostOutcome | 'stale'> {
  return new Promise((resolve) => {
    const target = new URL(url)
    const send = target.protocol === 'https:' ? requestHttps : requestHttp
    const request = send(target, { method, headers: { ...headers, 'content-length': String(body.length) } })
    const timer = setTimeout(() => {
      resolve({ kind: 'timeout' })
      request.destroy()
    }, timeoutMs)
    const fail = (error: NodeJS.ErrnoException) => {
      clearTimeout(timer)
      const stale = request.reusedSocket && error.code === 'ECONNRESET'
      resolve(stale ? 'stale' : { kind: 'unreachable', reason: error.message })
    }
    request.on('error', fail)
    request.on('response', (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('error', fail)
      response.on('end', () => {
        clearTimeout(timer)
        const text = Buffer.concat(chunks).toString('utf8')
        resolve({ kind: 'answered', status: response.statusCode ?? 0, body: text, headers: response.headers })
      })
    })
    request.end(body)
  })
}

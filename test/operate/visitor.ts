import { type Api, secrets } from './harness.js'

/** Somebody who is signed in to the console. */
export interface Visitor {
  cookie: string
  csrf: string
}

export interface Asked {
  cookie?: string
  fields?: Record<string, string> | string[][]
  headers?: Record<string, string>
}

/** A request as a browser sends it, which follows nothing. */
export function askOf({ url }: Api, method: string, path: string, { cookie, fields, headers }: Asked = {}) {
  return fetch(`${url}${path}`, {
    method,
    redirect: 'manual',
    headers: { ...(cookie !== undefined && { cookie }), ...headers },
    ...(fields !== undefined && { body: new URLSearchParams(fields) }),
  })
}

export async function enter(api: Api, secret: string = secrets.all): Promise<Visitor> {
  const reply = await askOf(api, 'POST', '/console/sign-in', { fields: { secret } })
  const cookie = reply.headers.get('set-cookie')?.split(';')[0] ?? ''
  const text = await (await askOf(api, 'GET', '/console/orders', { cookie })).text()
  return { cookie, csrf: /name="csrf" value="([^"]+)"/.exec(text)?.[1] ?? '' }
}

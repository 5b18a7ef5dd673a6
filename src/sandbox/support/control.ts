import type { z } from 'zod'
import { complaints, parseObject, readable } from './complaint.js'
import { type Handled, type Incoming, jsonReply } from './http.js'
import { NotThere, Refused } from './refusals.js'

export type ControlCall<T> = { body: T; params: Record<string, string>; query: Record<string, string> }

/** One thing that can be asked of a sandbox over HTTP, below `/_sandbox`. */
export type ControlRoute = {
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  /** Below `/_sandbox`, with `:names`. */
  path: string
  does: string
  /** A body to copy. */
  example?: unknown
  run(call: ControlCall<unknown>): unknown
}

export type Control = { owns(path: string): boolean; handle(incoming: Incoming): Promise<Handled> }

/** Binds a body's schema to what is done with it, so that a route has the type that was checked. */
export function withBody<T>(schema: z.ZodType<T>, run: (call: ControlCall<T>) => unknown): ControlRoute['run'] {
  return ({ body, params, query }) => {
    const parsed = schema.safeParse(body)
    if (!parsed.success) throw new Refused(readable(complaints(parsed.error, body)))
    return run({ body: parsed.data, params, query })
  }
}

const prefix = '/_sandbox'

export function startControl(routes: readonly ControlRoute[]): Control {
  return {
    owns: (path) => path === prefix || path.startsWith(`${prefix}/`),
    async handle(incoming) {
      const raw = await incoming.body()
      return { reply: await answer(routes, incoming, raw), done: () => undefined }
    },
  }
}

async function answer(routes: readonly ControlRoute[], { method, path, query }: Incoming, raw: Buffer) {
  const below = path.slice(prefix.length)
  if (below === '' || below === '/') return jsonReply(200, { routes: routes.map(describe) })
  try {
    for (const route of routes) {
      const params = route.method === method ? matchPath(route.path, below) : undefined
      if (params) return jsonReply(200, await run(route, { params, query: Object.fromEntries(query), raw }))
    }
    throw new NotThere(`no ${method} ${path}; GET ${prefix} lists what there is`)
  } catch (error) {
    return problem(statusOf(error), error instanceof Error ? error.message : String(error))
  }
}

async function run(
  route: ControlRoute,
  input: { params: Record<string, string>; query: Record<string, string>; raw: Buffer },
) {
  const body = input.raw.length === 0 ? { ok: true as const, value: {} } : parseObject(input.raw)
  if (!body.ok) throw new Refused(body.reason)
  return (await route.run({ ...input, body: body.value })) ?? { done: true }
}

const titles = { 400: 'Bad request', 404: 'Not found', 500: 'The sandbox itself failed' } as const

/** What is neither kind of refusal is a mistake of the sandbox, not of the caller. */
function statusOf(error: unknown): keyof typeof titles {
  if (error instanceof NotThere) return 404
  return error instanceof Refused ? 400 : 500
}

function problem(status: keyof typeof titles, detail: string) {
  const title = titles[status]
  return jsonReply(
    status,
    { type: 'about:blank', title, status, detail },
    { 'content-type': 'application/problem+json' },
  )
}

function describe({ method, path, does, example }: ControlRoute) {
  return { method, path: `${prefix}${path}`, does, ...(example === undefined ? {} : { example }) }
}

function matchPath(pattern: string, path: string): Record<string, string> | undefined {
  const wanted = pattern.split('/')
  const given = path.split('/')
  if (wanted.length !== given.length) return undefined
  const params: Record<string, string> = {}
  for (const [index, part] of wanted.entries()) {
    const value = given[index] ?? ''
    if (part.startsWith(':') && value !== '') params[part.slice(1)] = decoded(value)
    else if (part !== value) return undefined
  }
  return params
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    throw new Refused(`the path: expected percent-encoded UTF-8; it came as ${part}`)
  }
}

import { readFile } from 'node:fs/promises'
import { text } from 'node:stream/consumers'
import { z } from 'zod'
import { createAsk, onlyReads } from '../../operate/api/ask.js'
import { type Problem, problemJson } from '../../operate/api/problems.js'
import { exitCodes } from '../exit-codes.js'
import type { Io } from '../io.js'
import type { Given } from '../operator.js'
import { userOfCommand } from '../user.js'
import { type CommandParts, withDatabase } from '../with-database.js'
import { createOperatorParts } from './parts.js'
import { renderList, renderWhole } from './render.js'
import type { Verb } from './verb.js'

const everyScope = ['read', 'operate', 'reveal', 'erase', 'notify'] as const
const list = z.object({ items: z.array(z.record(z.string(), z.unknown())), next_cursor: z.string().nullable() })

/** Asks one operation and prints its answer; whoever may read the database may do what the service may. */
export async function runVerb(verb: Verb, given: Given, io: Io): Promise<number> {
  const { words } = given
  const { query, filter, body: said } = sortFlags(verb, given)
  const fromFile = verb.file === undefined ? {} : await readBody(words.at(-1) ?? '')
  const body = { ...verb.always?.body, ...fromFile, ...said, ...(filter && { filter }) }
  const params = Object.fromEntries((verb.ids ?? []).map(({ name }, index) => [name, words[index] ?? '']))
  const askOnce = (parts: CommandParts) => {
    // An empty secret: nobody comes in with this key.
    const key = { name: userOfCommand(), secret: '', scopes: everyScope }
    const ask = createAsk(createOperatorParts(parts), { key, address: 'localhost', via: 'cli' })
    return ask(verb.operation, z.unknown(), {
      params,
      query: { ...verb.always?.query, ...query },
      ...(Object.keys(body).length > 0 && { body }),
    })
  }
  const answer = await withDatabase(askOnce, { onlyReads: onlyReads(verb.operation) })
  const json = given.flags['json'] === true
  if (answer.kind === 'problem') return refuse(answer, json, io)
  if (json) io.out(`${JSON.stringify(answer.body)}\n`)
  else io.out(describe(verb, words, answer.body))
  return exitCodes.ok
}

function sortFlags({ flags = [], operation }: Verb, given: Given) {
  const sorted: Record<'query' | 'body' | 'filter', Record<string, unknown>> = { query: {}, body: {}, filter: {} }
  for (const { flag, into, name } of flags) {
    const value = given.flags[camel(flag)]
    if (value !== undefined) sorted[into][name] = value
  }
  const query = Object.fromEntries(Object.entries(sorted.query).map(([name, value]) => [name, String(value)]))
  return { query, body: sorted.body, filter: operation === 'deliveries.retry_many' ? sorted.filter : undefined }
}

/** Commander's name of an option: `--dry-run <x>` is `dryRun`. */
function camel(flag: string): string {
  const name = flag.split(' ')[0]?.replace(/^--/, '') ?? ''
  return name.replaceAll(/-(\w)/g, (_, letter: string) => letter.toUpperCase())
}

const object = z.record(z.string(), z.unknown())

async function readBody(path: string): Promise<Record<string, unknown>> {
  const content = path === '-' ? await text(process.stdin) : await readText(path)
  let value: unknown
  try {
    value = JSON.parse(content)
  } catch (cause) {
    throw new Error(`${path}: expected JSON`, { cause })
  }
  const read = object.safeParse(value)
  if (!read.success) throw new Error(`${path}: expected a JSON object`)
  return read.data
}

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (cause) {
    throw new Error(`${path} cannot be read`, { cause })
  }
}

function refuse(problem: Problem, json: boolean, io: Io): number {
  if (json) io.out(`${JSON.stringify(problemJson(problem))}\n`)
  else {
    io.err(`${problem.name}: ${problem.detail}\n`)
    for (const { path, message } of problem.errors ?? []) io.err(`  ${path}: ${message}\n`)
    for (const line of problem.plan ?? []) io.err(`  ${JSON.stringify(line)}\n`)
  }
  return exitCodes.failure
}

function describe({ columns, done }: Verb, words: readonly string[], body: unknown): string {
  if (done !== undefined) return `${done.replaceAll('{id}', words[0] ?? '')}\n`
  const page = columns === undefined ? undefined : list.safeParse(body)
  if (columns === undefined || page?.success !== true) return renderWhole(body)
  const { items, next_cursor: next } = page.data
  return `${renderList(columns, items)}${next === null ? '' : `\nmore with --cursor ${next}\n`}`
}

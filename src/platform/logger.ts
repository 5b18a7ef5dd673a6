import { type Logger as Pino, pino } from 'pino'
import { traceFields } from './tracing/spans.js'

export type Logger = Pino

/**
 * JSON lines on stdout; docs/logs.md lists their names, log-events.ts holds them. Whoever logs passes ids, codes and
 * counts, never a payload: what is redacted here is the second net, and nothing relies on it.
 */
export function createLogger(level: string, destination?: { write(line: string): void }): Logger {
  const options = {
    level,
    base: { service: 'bgc-bridge', pid: process.pid },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }), log: redact },
    mixin: traceFields,
    serializers: { err: describeError },
  }
  return destination ? pino(options, destination) : pino(options)
}

const censor = '[redacted]'
const secrets = ['secret', 'token', 'password', 'authorization', 'api_key', 'app_secret']
const personal = ['candidate', 'contact', 'email', 'mobile', 'phone', 'comment', 'payload', 'body', 'custom_fields']
const redacted = new Set([...secrets, ...personal])

/**
 * The fields of a line without those of such a name, at the top and one level below. pino's own redaction goes through
 * each field by itself, which was two thirds of what a line costs.
 */
function redact(fields: Record<string, unknown>): Record<string, unknown> {
  let kept = fields
  for (const name of Object.keys(fields)) {
    const value = redacted.has(name) ? censor : withoutRedacted(fields[name])
    if (value !== fields[name]) kept = { ...kept, [name]: value }
  }
  return kept
}

/** Of an error `describeError` says what is told. */
function withoutRedacted(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || value instanceof Error) return value
  const found = Object.keys(value).filter((name) => redacted.has(name))
  return found.length === 0 ? value : { ...value, ...Object.fromEntries(found.map((name) => [name, censor])) }
}

/**
 * Name, code, message and frames. The messages of some errors quote what they could not read, and causes are foreign: of
 * those only names and codes are kept.
 */
export function describeError(error: unknown): Record<string, unknown> {
  if (!(error instanceof Error)) return { name: typeof error }
  const cause = error.cause === undefined ? {} : { cause: describeForeignError(error.cause) }
  const nested = error instanceof AggregateError ? { errors: error.errors.map(describeForeignError) } : {}
  const message = quotesValues(error) ? {} : { message: error.message }
  return { ...nameOf(error), ...message, ...framesOf(error), ...cause, ...nested }
}

/** For what code that is not ours threw: its message may say anything. */
export function describeForeignError(error: unknown): Record<string, unknown> {
  return error instanceof Error ? { ...nameOf(error), ...framesOf(error) } : { name: typeof error }
}

function nameOf(error: Error): { name: string; code?: string } {
  return { name: error.name, ...('code' in error && { code: String(error.code) }) }
}

/** The stack without its first lines, which repeat the message. */
function framesOf({ stack }: Error): { stack?: string } {
  const frames = stack?.split('\n').filter((line) => /^\s+at /.test(line))
  return frames === undefined || frames.length === 0 ? {} : { stack: frames.join('\n') }
}

/** JSON that cannot be read, arguments of Prisma, rows that PostgreSQL refuses (SQLSTATE classes 22 and 23), zod's issues. */
function quotesValues(error: Error): boolean {
  const ofRows = 'code' in error && /^2[23][0-9A-Z]{3}$/.test(String(error.code))
  return ofRows || error instanceof SyntaxError || /^(Prisma|\$?Zod)/.test(error.name)
}

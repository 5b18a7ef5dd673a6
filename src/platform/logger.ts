import { type Logger as Pino, pino } from 'pino'

export type Logger = Pino

/** JSON lines on stdout. Whoever logs passes ids, codes and counts, never a payload. */
export function createLogger(level: string, destination?: { write(line: string): void }): Logger {
  const options = {
    level,
    base: { service: 'bgc-bridge', pid: process.pid },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
    serializers: { err: describeError },
    redact: { paths: ['secret', 'token', 'password', 'authorization', '*.authorization'], censor: '[redacted]' },
  }
  return destination ? pino(options, destination) : pino(options)
}

/** Name, code and own stack; causes are foreign and may quote values, so only their names and codes are kept. */
export function describeError(error: unknown): Record<string, unknown> {
  if (!(error instanceof Error)) return { name: typeof error }
  const code = 'code' in error ? { code: String(error.code) } : {}
  const cause = error.cause === undefined ? {} : { cause: describeError(error.cause) }
  const nested = error instanceof AggregateError ? { errors: error.errors.map(describeError) } : {}
  return { name: error.name, ...code, message: error.message, stack: error.stack, ...cause, ...nested }
}

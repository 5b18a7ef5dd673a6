/**
 * An error in words for people at a terminal: one message, without a stack. Errors of our own say what can be done;
 * those of the system and of PostgreSQL get their explanation here.
 */
export function explain(failure: unknown): string {
  const error = firstOf(failure)
  if (!(error instanceof Error)) return `It failed: ${String(error)}`
  const code = 'code' in error ? String(error.code) : ''
  const known = ofListening(error, code) ?? ofConnecting(error, code) ?? ofPostgres(error, code)
  return known ?? withCauses(error)
}

/** Several addresses of one name were tried, or several parts failed to stop: the first says enough. */
function firstOf(failure: unknown): unknown {
  return failure instanceof AggregateError && failure.errors.length > 0 ? firstOf(failure.errors[0]) : failure
}

function ofListening(error: Error & Partial<NodeJS.ErrnoException>, code: string): string | undefined {
  if (error.syscall !== 'listen' && error.syscall !== 'bind') return undefined
  const place = `port ${read(error, 'port') ?? ''} on ${read(error, 'address') ?? 'every address'}`
  if (code === 'EADDRINUSE') return `${place} is taken: stop what listens there, or choose another port`
  if (code === 'EACCES') return `${place} may not be used by this user: choose a port from 1024 on`
  if (code === 'EADDRNOTAVAIL') return `${place}: this machine does not have that address; check HOST`
  return undefined
}

const unreachable: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nobody listens there',
  ECONNRESET: 'the connection was broken',
  ETIMEDOUT: 'no answer came',
  EHOSTUNREACH: 'the host cannot be reached',
  ENETUNREACH: 'the network cannot be reached',
  ENOTFOUND: 'there is no host of that name',
  EAI_AGAIN: 'the name could not be looked up',
}

/** Whatever the service has to reach before it is up is the database. */
function ofConnecting(error: Error & Partial<NodeJS.ErrnoException>, code: string): string | undefined {
  const reason = unreachable[code]
  if (reason === undefined) return undefined
  const host = read(error, 'hostname') ?? read(error, 'address')
  const port = read(error, 'port')
  const place = host === undefined ? '' : ` at ${host}${port === undefined ? '' : `:${port}`}`
  return `the database${place} cannot be reached: ${reason} (${code}); check DATABASE_URL`
}

// https://www.postgresql.org/docs/current/errcodes-appendix.html
const refusals: Readonly<Record<string, string>> = {
  '28P01': 'check the user and the password in DATABASE_URL',
  '28000': 'check the user in DATABASE_URL, and whether the server asks for TLS (sslmode=require)',
  '3D000': 'create it, or check the name in DATABASE_URL',
  '42501': 'give the user of DATABASE_URL the right to create tables in its schema',
  '53300': 'raise max_connections, or let fewer processes connect',
  '57P01': 'it was stopped meanwhile: run the command again',
  '57P03': 'it is starting or stopping: try again',
}

function ofPostgres(error: Error, code: string): string | undefined {
  if (!('severity' in error)) return undefined
  const advice = refusals[code]
  return `the database refuses (${code}): ${error.message}${advice === undefined ? '' : `; ${advice}`}`
}

function withCauses(error: Error): string {
  const { cause, message } = error
  if (!(cause instanceof Error) || cause.message === '' || message.includes(cause.message)) return message || error.name
  return `${message} (${withCauses(cause)})`
}

function read(error: object, name: string): string | undefined {
  const value: unknown = Reflect.get(error, name)
  return typeof value === 'string' || typeof value === 'number' ? String(value) : undefined
}

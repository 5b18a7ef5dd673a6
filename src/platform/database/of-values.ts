import pg from 'pg'

/**
 * The SQLSTATE, where PostgreSQL itself refused; `undefined` for every other error. Codes of Node are none, though `EPIPE` has
 * five letters as well. https://www.postgresql.org/docs/current/errcodes-appendix.html
 */
export function sqlStateOf(failure: unknown): string | undefined {
  return failure instanceof pg.DatabaseError ? failure.code : undefined
}

/**
 * Whether PostgreSQL refused values, or how many there were, and not because of its own state: the same again fails
 * again. SQLSTATE classes 21, 22, 23 and 54.
 */
export function isOfValues(failure: unknown): boolean {
  return /^(21|22|23|54)/.test(sqlStateOf(failure) ?? '')
}

/**
 * Whether the cause is PostgreSQL's own state, who else writes (class 40 among them), or the way to it: the same again may
 * succeed. What is left are values and mistakes of ours; other `ERR_…` of Node are such, and no trouble of a socket.
 */
export function isOfDatabase(failure: unknown): boolean {
  if (sqlStateOf(failure) !== undefined) return !isOfValues(failure)
  if (!(failure instanceof Error)) return false
  return ('code' in failure && isOfSocket(String(failure.code))) || lostWithoutCode.test(failure.message)
}

/** Of the system, or of TLS: https://nodejs.org/docs/latest-v20.x/api/tls.html#x509-certificate-error-codes */
function isOfSocket(code: string): boolean {
  return /^E(?!RR_)[A-Z_]+$/.test(code) || /^ERR_(?:TLS|SSL)_|^UNABLE_TO_|CERT/.test(code)
}

/** pg says these without a code. */
const lostWithoutCode =
  /^(?:timeout exceeded when trying to connect|Connection terminated|Query read timeout|Client has encountered a connection error)/

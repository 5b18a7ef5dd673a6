import { createHash } from 'node:crypto'

/**
 * What connections call themselves in pg_stat_activity: the schema they work in and the keys of their process, as marks
 * that tell nothing but which is which. A rotation of keys sees by it who has to be restarted first.
 */
export function applicationName(schema: string, keyMarks: readonly string[]): string {
  return `${withoutKeys} ${schemaMark(schema)} ${keyMarks.slice(0, mostMarks).join(',')}`
}

/** What a command calls itself that looks only. */
export const withoutKeys = 'bgc-bridge'

/** Whether a connection of this name is one of a service or a command that works, or looks, in the schema. */
export function worksIn(schema: string, name: string): boolean {
  return name === withoutKeys || readApplicationName(name, schema) !== null
}

/** PostgreSQL cuts names at 63 bytes. */
const mostMarks = 6

function schemaMark(schema: string): string {
  return createHash('sha256').update(schema).digest('hex').slice(0, 10)
}

/** The marks of the keys of a process that works in the schema; null of any other. */
export function readApplicationName(name: string, schema: string): string[] | null {
  // A process that has not been upgraded yet shows four digits of its schema.
  const match = /^bgc-bridge ([0-9a-f]{10}|[0-9a-f]{4}) ([0-9a-f]{6}(?:,[0-9a-f]{6})*)$/.exec(name)
  return match?.[1] && match[2] && schemaMark(schema).startsWith(match[1]) ? match[2].split(',') : null
}

const parts = {
  day: { dateStyle: 'short' },
  minute: { dateStyle: 'short', timeStyle: 'short' },
  second: { dateStyle: 'short', timeStyle: 'medium' },
} as const satisfies Record<string, Intl.DateTimeFormatOptions>

const known = new Map<string, Intl.DateTimeFormat>()

/** Writes times of a zone as `2026-01-02 03:04:05`, as far as asked for. */
export function localTime(timeZone: string, to: keyof typeof parts): Intl.DateTimeFormat {
  const name = `${to} ${timeZone}`
  const format = known.get(name) ?? new Intl.DateTimeFormat('sv-SE', { timeZone, ...parts[to] })
  known.set(name, format)
  return format
}

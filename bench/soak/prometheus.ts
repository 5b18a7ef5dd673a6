/** The sum over all labels of each metric in Prometheus's text format. */
export function sumsOf(text: string): Map<string, number> {
  const sums = new Map<string, number>()
  for (const line of text.split('\n')) {
    const [, name, value] = /^([a-z_][a-z0-9_]*)(?:\{.*\})? (\S+)$/i.exec(line) ?? []
    if (name !== undefined) sums.set(name, (sums.get(name) ?? 0) + Number(value))
  }
  return sums
}

import type { Registry } from 'prom-client'

/** What a gauge says now, by the value of one of its labels; empty while nobody could count it. */
export type Figures = Readonly<Record<string, number>>

/** Reads gauges and counters of this process as the console shows them. */
export async function readFigures(registry: Registry, name: string, label = ''): Promise<Figures> {
  const found = await registry.getSingleMetric(name)?.get()
  const sums: Record<string, number> = {}
  for (const { labels, value } of found?.values ?? []) {
    const key = String(new Map(Object.entries(labels)).get(label) ?? '')
    sums[key] = (sums[key] ?? 0) + value
  }
  return sums
}

import { sum } from '../support/figures.js'
import type { Section } from '../support/report.js'
import type { Weights } from './size-up.js'

export function sections(weights: Weights): Section[] {
  return [ofPostgres(weights), ofRedis(weights)]
}

function ofPostgres({ orders, tables, walBytes, statements, calls, connections }: Weights): Section {
  const each = (value: number, digits = 0) => (value / orders).toFixed(digits)
  const used = tables.filter(({ rows }) => rows > 0).sort((a, b) => b.bytes - a.bytes)
  const total = { rows: sum(used.map(({ rows }) => rows)), bytes: sum(used.map(({ bytes }) => bytes)) }
  const indexBytes = sum(used.map((table) => table.indexBytes))
  const line = (name: string, rows: number, bytes: number, indexes: number) => [
    name,
    each(rows, 1),
    each(bytes),
    rows === 0 ? '' : (bytes / rows).toFixed(0),
    each(indexes),
  ]
  return {
    title: 'An order in PostgreSQL',
    head: ['table', 'rows of an order', 'bytes of an order', 'bytes of a row', 'bytes of indexes, of an order'],
    rows: [
      ...used.map(({ name, rows, bytes, indexBytes: own }) => line(name, rows, bytes, own)),
      line('all', total.rows, total.bytes, indexBytes),
    ],
    aims: [],
    notes: [
      `${orders} orders: ${each(statements, 1)} statements, ${each(walBytes / 1024, 1)} KiB of WAL and ${each(calls, 1)} calls to Feishu for each; ${connections} connections of one process with all roles. The waiting of a quiet service is in the statements. Rows as \`pg_column_size\` says them and 4 bytes each; indexes as they lie, which is more the fewer orders there are.`,
    ],
    gates: [
      { what: 'KiB of an order in PostgreSQL, without indexes', ratio: total.bytes / orders / 1024, most: 8 },
      { what: 'statements of an order', ratio: statements / orders, most: 160 },
    ],
  }
}

function ofRedis({ windows }: Weights): Section {
  return {
    title: 'A window in Redis',
    head: ['window', 'calls in it', 'bytes', 'bytes of a call'],
    rows: windows.map(({ key, bytes, uses }) => [
      key.replace(/^.*limiter:/, '').replace(/}.*$/, ''),
      String(uses),
      String(bytes),
      uses === 0 ? '' : (bytes / uses).toFixed(0),
    ]),
    aims: [],
    notes: ['Two keys for each method of a tenant, as `MEMORY USAGE` says them.'],
  }
}

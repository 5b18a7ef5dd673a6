import type { Asker } from '../../src/platform/database/fair-claim.js'

/** Of EXPLAIN (ANALYZE, FORMAT JSON). */
interface Node {
  'Relation Name'?: string
  'Rows Removed by Filter'?: number
  'Rows Removed by Join Filter'?: number
  'Actual Loops': number
  Plans?: Node[]
}

/** The pool, but it explains what it is asked instead of answering, and counts rows that were read, or joined, and not wanted. */
export function explaining<Pool extends Asker>(pool: Pool) {
  const counted = { unwanted: 0 }
  const query: Asker['query'] = async (text, values) => {
    const { rows } = await pool.query(`EXPLAIN (ANALYZE, FORMAT JSON) ${text}`, values)
    counted.unwanted += unwantedBelow(rows[0]?.['QUERY PLAN'][0].Plan)
    return { rows: [] }
  }
  return { pool: Object.assign(Object.create(pool) as Pool, { query }), counted }
}

function unwantedBelow(node: Node): number {
  const read = node['Relation Name'] === undefined ? 0 : (node['Rows Removed by Filter'] ?? 0)
  const joined = node['Rows Removed by Join Filter'] ?? 0
  const own = (read + joined) * node['Actual Loops']
  return (node.Plans ?? []).reduce((sum, below) => sum + unwantedBelow(below), own)
}

import type { World } from '../../test/faults/kit/world.js'

export interface Table {
  name: string
  mib: number
  live: number
  dead: number
}

/** The largest tables at the end, with their indexes. Tuples as PostgreSQL's statistics know them since its last crash. */
export async function readTables(world: World): Promise<Table[]> {
  return world.read<Table & Record<string, string | number>>(
    `SELECT relname AS name, (pg_total_relation_size(relid) / 1048576.0)::float8 AS mib,
       n_live_tup::float8 AS live, n_dead_tup::float8 AS dead
     FROM pg_stat_user_tables ORDER BY mib DESC LIMIT 12`,
  )
}

import { createBatcher } from '../../platform/batcher.js'
import type { Sql } from '../../platform/database/database.js'

/**
 * The epoch of a bucket's window as its row says it, read after deliveries of the bucket were claimed; `null`: another
 * process sends from the bucket now. Those who ask at the same time share a statement.
 *
 * Whoever rebuilds a window writes its new epoch first, and reads the claims after that. So who finds the epoch as it was
 * has its claims in what the rebuild counts, and who finds the new one takes from the window that was rebuilt: however
 * long a process stood still, and whichever Redis it is connected to, it sends nothing that no window counts.
 */
export type EpochOf = (bucketId: number) => Promise<string | null>

/** As many as pumps. */
const mostAtOnce = 500

export function readEpochs(sql: Sql, owner: string): EpochOf {
  const read = async (asked: Asked[]) => {
    const epochs = await readLeased(
      sql,
      owner,
      asked.map(({ bucketId }) => bucketId),
    )
    for (const each of asked) each.epoch = epochs.get(each.bucketId) ?? null
  }
  const questions = createBatcher<Asked>(mostAtOnce, read)
  return async (bucketId) => {
    const asked: Asked = { bucketId, epoch: null }
    await questions.add(asked)
    return asked.epoch
  }
}

interface Asked {
  bucketId: number
  epoch: string | null
}

/** A lease that has run out is still its owner's until somebody takes it. */
async function readLeased(sql: Sql, owner: string, ids: number[]): Promise<ReadonlyMap<number, string>> {
  const text = 'SELECT id, epoch FROM buckets WHERE id = ANY($1) AND lease_owner = $2'
  const { rows } = await sql.query<{ id: number; epoch: string }>({ name: 'read-epochs', text, values: [ids, owner] })
  return new Map(rows.map(({ id, epoch }) => [id, epoch]))
}

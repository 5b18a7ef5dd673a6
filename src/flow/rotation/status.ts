import { marksOf } from '../../platform/crypto/key-marks.js'
import type { Sealer } from '../../platform/crypto/sealer.js'
import type { Database } from '../../platform/database/database.js'
import { impostors } from './admit.js'
import { type Count, countSealed } from './count.js'
import { type Running, runningProcesses } from './processes.js'

export interface KeysStatus {
  /** The id that seals; `null` without any key. */
  first: string | null
  counts: Array<Count & { opens: boolean }>
  /** Everybody who works on this database now, with what it thinks of the first key. */
  running: Array<Pick<Running, 'address'> & { firstKey: 'seals' | 'opens' | 'lacks' }>
}

/** What lies under which key, and who has which. Writes nothing. */
export async function keysStatus(
  database: Database,
  sealer: Sealer,
  keys: ReadonlyArray<{ id: string }>,
): Promise<KeysStatus> {
  const [mark = ''] = marksOf(sealer, keys)
  const wrong = await impostors(database.pool, sealer)
  const opens = new Set<string | null>(['', ...keys.map(({ id }) => id).filter((id) => !wrong.has(id))])
  const running = await runningProcesses(database.pool)
  return {
    first: keys[0]?.id ?? null,
    counts: (await countSealed(database)).map((count) => ({ ...count, opens: opens.has(count.keyId) })),
    running: running.map(({ address, marks }) => ({ address, firstKey: standing(marks, mark) })),
  }
}

function standing(marks: readonly string[], first: string): 'seals' | 'opens' | 'lacks' {
  if (marks[0] === first) return 'seals'
  return marks.includes(first) ? 'opens' : 'lacks'
}

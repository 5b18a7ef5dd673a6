import type pg from 'pg'
import type { Database, Sql } from '../../../src/platform/database/database.js'
import type { Limiter } from '../../../src/platform/limiter/limiter.js'
import type { Mortal } from './mortal.js'

type Query = (...args: unknown[]) => Promise<pg.QueryResult>

class Ended extends Error {
  override readonly name = 'Ended'
}

/** A database as a process that can die has it: each statement is a step before it is sent and one before it is seen. */
export function mortalDatabase(database: Database, life: Mortal): Database {
  return {
    ...database,
    pool: mortalPool(database.pool, life),
    transaction: (work) =>
      life.through(() =>
        database.transaction(async (sql) => {
          const result = await work(mortalSql(sql, life))
          // A process that ends before its COMMIT leaves nothing behind; `through` is the moment after it.
          if (!(await life.passes())) throw new Ended()
          return result
        }),
      ),
  }
}

function mortalPool(pool: pg.Pool, life: Mortal): pg.Pool {
  return new Proxy(pool, {
    get: (target, name): unknown => {
      if (name === 'query') return (...args: unknown[]) => life.through(() => ask(target, life, args))
      if (name === 'connect') throw new Error('a connection of its own would not be counted')
      return Reflect.get(target, name)
    },
  })
}

/** Inside of a transaction a dead process is an error, so that it is rolled back and holds no locks. */
function mortalSql(sql: Sql, life: Mortal): Sql {
  const query: Query = async (...args) => {
    if (!(await life.passes())) throw new Ended()
    const result = await ask(sql, life, args)
    if (!(await life.passes())) throw new Ended()
    return result
  }
  // The overloads of `query` all come down to these arguments.
  return { query: query as Sql['query'] }
}

async function ask(sql: Sql, life: Mortal, args: unknown[]): Promise<pg.QueryResult> {
  // As above.
  const result = await (sql.query as Query).apply(sql, args)
  noteHoldings(life, args, result)
  return result
}

/** What a process holds ends by the clock once it is dead; the test has to know what that is. */
function noteHoldings(life: Mortal, [asked, given]: unknown[], result: pg.QueryResult): void {
  // As above.
  const { name, text, values } = typeof asked === 'string' ? { text: asked, values: given } : (asked as pg.QueryConfig)
  if (name === 'claim-heads') {
    for (const row of result.rows as Array<{ id: string; fence: number }>) {
      life.claims.push({ id: row.id, fence: row.fence })
    }
  }
  if (text.includes('lease_owner = $1') && Array.isArray(values)) life.owner = String(values[0])
}

export function mortalLimiter(limiter: Limiter, life: Mortal): Limiter {
  return {
    take: (...args) => life.through(() => limiter.take(...args)),
    giveBack: (...args) => life.through(() => limiter.giveBack(...args)),
    close: (...args) => life.through(() => limiter.close(...args)),
    rebuild: (...args) => life.through(() => limiter.rebuild(...args)),
  }
}

import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { PrismaPg } from '@prisma/adapter-pg'
import {
  bindMigrationAwareSqlAdapterFactory,
  ColumnTypeEnum,
  DriverAdapterError,
  type SqlDriverAdapter,
  type SqlMigrationAwareDriverAdapterFactory,
} from '@prisma/driver-adapter-utils'
import * as wasm from '@prisma/schema-engine-wasm/schema_engine_bg'
import pg from 'pg'
import { UNFINISHED } from './unfinished.js'

/**
 * Prisma's own schema engine, as WebAssembly over the pg driver: it applies and diffs migrations without a program that
 * would have to be downloaded, and keeps the same `_prisma_migrations` table as `prisma migrate deploy`.
 */
export type SchemaEngine = wasm.SchemaEngine

// Node.js has it, its types do not.
declare const WebAssembly: {
  instantiate(bytes: Uint8Array, imports: object): Promise<{ instance: { exports: Record<string, unknown> } }>
}

let loaded: Promise<void> | undefined

export async function openSchemaEngine(pool: pg.Pool, schema: string, datamodel?: string): Promise<SchemaEngine> {
  loaded ??= load()
  await loaded
  const datamodels: [string, string][] | undefined = datamodel ? [['schema.prisma', datamodel]] : undefined
  const adapter = bindMigrationAwareSqlAdapterFactory(withWholeScripts(pool, schema))
  return wasm.SchemaEngine.new({ datamodels }, () => undefined, adapter)
}

// The package's entry imports its .wasm file as a module, which Node.js 20 and 22 cannot.
async function load(): Promise<void> {
  // What the engine calls when it panics; without it the reason would be lost.
  Object.assign(globalThis, { PRISMA_WASM_PANIC_REGISTRY: { set_message: panic } })
  const glue = createRequire(import.meta.url).resolve('@prisma/schema-engine-wasm/schema_engine_bg')
  const bytes = await readFile(join(dirname(glue), 'schema_engine_bg.wasm'))
  const { instance } = await WebAssembly.instantiate(bytes, { './schema_engine_bg.js': wasm })
  wasm.__wbg_set_wasm(instance.exports)
  const start = instance.exports.__wbindgen_start
  if (typeof start === 'function') (start as () => void)()
}

function panic(reason: string): never {
  throw new Error(`Prisma's schema engine gave up: ${reason}`)
}

/**
 * The adapter cuts a script at every semicolon, also within a function's body, and commits each piece by itself. Here a
 * script is one transaction, which also notes in the migration's row that it was committed: see `settleKilled`.
 */
function withWholeScripts(pool: pg.Pool, schema: string): SqlMigrationAwareDriverAdapterFactory {
  const factory = new PrismaPg(pool, { schema })
  const connect = factory.connect.bind(factory)
  const readFlags = readCatalogFlags(pool)
  factory.connect = async () => {
    const adapter = await connect()
    adapter.executeScript = (script) => runScript(pool, script)
    readFlags(adapter)
    return adapter
  }
  // Only a diff asks for a shadow, and a diff is given an empty database of its own to work in.
  factory.connectToShadowDb = () => factory.connect()
  return factory
}

/**
 * The engine reads PostgreSQL's catalogs, which keep flags as "char", a type that the adapter refuses. Its columns pass
 * the adapter as text, and then say that they are characters.
 */
function readCatalogFlags(pool: pg.Pool): (adapter: SqlDriverAdapter) => void {
  const flags = new WeakMap<unknown[], number[]>()
  const query = pool.query.bind(pool)
  const charType: number = pg.types.builtins.CHAR
  const queryAsText = async (config: pg.QueryConfig) => {
    const { fields, rows, rowCount } = await query(config)
    const found = fields.flatMap(({ dataTypeID }, column) => (dataTypeID === charType ? [column] : []))
    flags.set(rows, found)
    const dataTypeID = pg.types.builtins.TEXT
    return { rows, rowCount, fields: fields.map((field, i) => (found.includes(i) ? { ...field, dataTypeID } : field)) }
  }
  Object.assign(pool, { query: queryAsText })
  return (adapter) => {
    const queryRaw = adapter.queryRaw.bind(adapter)
    adapter.queryRaw = async (asked) => {
      const result = await queryRaw(asked)
      for (const column of flags.get(result.rows) ?? []) result.columnTypes[column] = ColumnTypeEnum.Character
      return result
    }
  }
}

async function runScript(pool: pg.Pool, script: string): Promise<void> {
  const client = await pool.connect()
  try {
    await client.query('BEGIN')
    await client.query(script)
    const { rows } = await client.query<{ kept: boolean }>(
      `SELECT to_regclass('_prisma_migrations') IS NOT NULL AS kept`,
    )
    if (rows[0]?.kept) await client.query(`UPDATE _prisma_migrations SET applied_steps_count = 1 WHERE ${UNFINISHED}`)
    await client.query('COMMIT')
    client.release()
  } catch (error) {
    // The session goes with its transaction.
    client.release(true)
    throw asEngineError(error)
  }
}

function asEngineError(error: unknown): unknown {
  if (!(error instanceof pg.DatabaseError)) return error
  const { code = '', severity = '', message, detail, column, hint } = error
  return new DriverAdapterError({ kind: 'postgres', code, severity, message, detail, column, hint, originalCode: code })
}

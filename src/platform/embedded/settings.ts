import { writeFile } from 'node:fs/promises'
import { totalmem } from 'node:os'
import { join } from 'node:path'
import { giveTo } from './account.js'
import type { Cluster } from './cluster.js'

/** What the service relies on: given on the command line, which nothing overrides. */
export const fixedSettings = (port: number) => ({
  port,
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  max_connections: 100,
  wal_level: 'replica',
  synchronous_commit: 'on',
  password_encryption: 'scram-sha-256',
  // Containers give /dev/shm 64 MiB, which parallel queries outgrow.
  dynamic_shared_memory_type: 'mmap',
  max_parallel_workers_per_gather: 0,
  jit: 'off',
  // Errors reach the caller; in a file they would carry values, which are personal data.
  log_min_messages: 'log',
  log_min_error_statement: 'panic',
  log_error_verbosity: 'terse',
  log_checkpoints: 'off',
  log_timezone: 'UTC',
})

/** What fits most machines: an operator sets it otherwise with ALTER SYSTEM, which is read after this file. */
const defaults = () => ({ shared_buffers: `${sharedBuffersMb(memory())}MB`, max_wal_size: '1GB' })

/** Writes them anew at each start, since the machine may have another memory now, and answers with the file. */
export async function writeDefaults({ data, account }: Cluster): Promise<string> {
  const file = join(data, 'bgc.conf')
  const lines = Object.entries(defaults()).map(([name, value]) => `${name} = '${value}'`)
  const text = ['# Written at each start. Use ALTER SYSTEM instead.', "include 'postgresql.conf'", ...lines, '']
  await writeFile(file, text.join('\n'), { mode: 0o600 })
  await giveTo(account, file)
  return file
}

/** An eighth of the memory: the service, and perhaps others, share the machine. PostgreSQL takes it as it fills it. */
export function sharedBuffersMb(memoryBytes: number): number {
  const eighth = Math.round(memoryBytes / 8 / 1024 ** 2)
  return Math.min(Math.max(eighth, 128), 1024)
}

/** Of the machine, or of the container if it has a limit. */
function memory(): number {
  const limit = process.constrainedMemory()
  return limit > 0 ? Math.min(limit, totalmem()) : totalmem()
}

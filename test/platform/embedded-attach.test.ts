import { randomUUID } from 'node:crypto'
import { readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { hasEmbeddedData, openEmbeddedPostgres } from '../../src/platform/embedded/attach.js'
import { takeLock } from '../../src/platform/embedded/lock.js'
import { startEmbeddedPostgres } from '../../src/platform/embedded/postgres.js'
import { postmasterPid, preparedFolder, query, startService, temporaryFolder, until } from './embedded-kit.js'

const kept = async (url: string) => (await query(url, 'SELECT n FROM kept'))[0]

it('is the running server of the folder, which goes on', async () => {
  const dataDir = await preparedFolder()
  const server = await startEmbeddedPostgres({ dataDir })
  onTestFinished(() => server.stop())
  const joined = await openEmbeddedPostgres({ dataDir })
  expect(joined.url).toBe(server.url)
  await joined.stop()
  expect(await kept(server.url)).toEqual({ n: 42 })
})

it('is the server that a killed service left, which the next service takes over', async () => {
  const dataDir = await preparedFolder()
  const service = startService(dataDir)
  const { url } = await service.next('ready')
  process.kill(service.pid, 'SIGKILL')
  await service.exit
  const joined = await openEmbeddedPostgres({ dataDir })
  expect(joined.url).toBe(url)
  const next = await startEmbeddedPostgres({ dataDir })
  onTestFinished(() => next.stop())
  await joined.stop()
  expect(await kept(next.url)).toEqual({ n: 42 })
})

it('waits for whoever has the folder and has no server yet', async () => {
  const dataDir = await preparedFolder()
  const lock = await takeLock(dataDir)
  const changedAt = async () => (await stat(dataDir)).mtimeMs
  const before = await changedAt()
  const opening = openEmbeddedPostgres({ dataDir })
  await until('it has asked for the lock', async () => (await changedAt()) !== before)
  await lock.release()
  const own = await opening
  onTestFinished(() => own.stop())
  expect(await kept(own.url)).toEqual({ n: 42 })
})

it('says who has the folder when no server of it answers, and starts none', async () => {
  const dataDir = await preparedFolder()
  const lock = await takeLock(dataDir)
  onTestFinished(() => lock.release())
  await expect(openEmbeddedPostgres({ dataDir }, 200)).rejects.toThrow(
    new RegExp(`does not answer here.*in use by process ${process.pid}.*same container`),
  )
  await expect(postmasterPid(dataDir)).rejects.toThrow('ENOENT')
})

it('is not the server of another folder whose pid file lies there', async () => {
  const [dataDir, other] = [await preparedFolder(), await preparedFolder()]
  const server = await startEmbeddedPostgres({ dataDir: other })
  onTestFinished(() => server.stop())
  const file = join(dataDir, 'postgres/postmaster.pid')
  const text = await readFile(join(other, 'postgres/postmaster.pid'), 'utf8')
  await writeFile(file, text.replace(other, dataDir))
  const own = await openEmbeddedPostgres({ dataDir })
  onTestFinished(() => own.stop())
  expect(own.url).not.toBe(server.url)
  await query(server.url, 'INSERT INTO kept VALUES (43)')
  expect(await query(own.url, 'SELECT n FROM kept')).toEqual([{ n: 42 }])
})

it('knows a folder without a database', async () => {
  expect(await hasEmbeddedData(join(await temporaryFolder(), randomUUID()))).toBe(false)
  expect(await hasEmbeddedData(await preparedFolder())).toBe(true)
})

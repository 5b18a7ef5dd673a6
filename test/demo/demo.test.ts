import { spawn } from 'node:child_process'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished, vi } from 'vitest'
import { patienceMs } from '../../src/sandbox/demo/demo.js'
import { incidents } from '../../src/sandbox/demo/incidents.js'
import { lives } from '../../src/sandbox/demo/lives.js'
import { program } from '../support/programs.js'

/** Its files lie in a folder of its own, which goes with it. */
async function startDemo(...args: string[]) {
  const folder = await mkdtemp(join(tmpdir(), 'bgc-test-'))
  const child = spawn(process.execPath, [program('src/sandbox/demo/main.ts'), ...args], {
    env: { ...process.env, TMPDIR: folder },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve))
  onTestFinished(async () => {
    child.kill('SIGTERM')
    await ended
    await rm(folder, { recursive: true, force: true })
  })
  const seen = { out: '', err: '' }
  child.stdout.on('data', (chunk: Buffer) => {
    seen.out += String(chunk)
  })
  child.stderr.on('data', (chunk: Buffer) => {
    seen.err += String(chunk)
  })
  const untilOut = (text: string) =>
    vi.waitFor(() => expect(seen.out).toContain(text), { timeout: patienceMs + 60_000, interval: 20 })
  return { child, seen, ended, untilOut, files: () => readdir(folder) }
}

it('declares lives of every kind, each person once', () => {
  expect(lives).toHaveLength(24)
  expect(new Set(lives.map((life) => life.candidate)).size).toBe(24)
  expect(new Set(lives.map((life) => life.ends)).size).toBe(3)
  expect(new Set(lives.map((life) => life.customer)).size).toBe(2)
  expect(incidents.map((incident) => incident.atMs)).toEqual(
    incidents.map((incident) => incident.atMs).toSorted((a, b) => a - b),
  )
})

it('has no vendor that is done with an order before a slow cancel gets through', () => {
  const canceled = lives.filter((life) => life.ends === 'canceled by customer')
  expect(canceled).toHaveLength(4)
  for (const { vendor } of canceled) expect(vendor.at(-1)?.afterMs).toBeGreaterThan(patienceMs)
})

it('brings every order to its end, says so line by line, and stays up with --keep', {
  timeout: patienceMs + 100_000,
}, async () => {
  const { child, seen, ended, untilOut, files } = await startDemo('--keep')
  await untilOut('Everything stays up')
  expect(seen.out.match(/^(missing|broken): .*$/gm)).toBeNull()
  expect(seen.out).not.toContain('\u001b')
  expect(seen.out).toMatch(/^ +\d+\.\d s {2}林晓 +晨星科技 plain +stage \d of 3$/m)
  expect(seen.out).toMatch(/^24 of 24 orders ended; /m)
  expect(seen.out).toMatch(/orders in Feishu +18 completed, 4 canceled by customer, 2 stopped by vendor$/m)
  expect(seen.out).toMatch(/spoiled on purpose +\d+ server error/)
  expect(seen.out).toMatch(/promises +none broken/)
  // Feishu has it all; the service may still be asking whether a call without an answer took effect.
  const states = [...Array<string>(6).fill('canceled'), ...Array<string>(18).fill('completed')]
  await expect.poll(() => statesAt(seen.out), { timeout: 20_000 }).toEqual(states)
  child.kill('SIGTERM')
  expect([await ended, seen.err]).toEqual([0, ''])
  expect(await files()).toEqual([])
})

/** What the service itself says, at the URL and with the key that were printed. */
async function statesAt(out: string) {
  const [, url = ''] = /service +(http\S+)/.exec(out) ?? []
  const [, key = ''] = /API key +(\S+)/.exec(out) ?? []
  const answer = await fetch(`${url}/v1/orders?limit=200`, { headers: { authorization: `Bearer ${key}` } })
  const { items } = (await answer.json()) as { items: Array<{ state: string }> }
  return items.map((order) => order.state).sort()
}

it('stops in order when it is interrupted, also when npm passes the signal on once more', {
  timeout: patienceMs,
}, async () => {
  const { child, seen, ended, untilOut, files } = await startDemo()
  await untilOut('at the vendor')
  child.kill('SIGINT')
  // Another one, since the kernel makes one of two that are the same.
  child.kill('SIGTERM')
  expect([await ended, seen.err]).toEqual([130, ''])
  expect(await files()).toEqual([])
})

it('refuses a flag that it does not know', async () => {
  const { seen, ended } = await startDemo('--kep')
  expect(await ended).toBe(64)
  expect(seen.err).toContain('usage: npm run demo [-- --keep]')
})

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { request } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePort } from '../../src/platform/embedded/postgres.js'

/** A program with a /readyz, as an operator starts it: a process of its own that is asked over HTTP and told by signals. */
export interface Program {
  /** Arguments of node. */
  args: readonly string[]
  env: Readonly<Record<string, string>>
}

export interface Running {
  child: ChildProcess
  port: number
  /** From `spawn` to the first 200. */
  readyMs: number
  stop(): Promise<void>
}

const askEveryMs = 2
const withinMs = 60_000

export async function startProgram({ args, env }: Program): Promise<Running> {
  const port = await freePort()
  const { PATH = '', HOME = '' } = process.env
  const startedAt = performance.now()
  const child = spawn(process.execPath, args, {
    env: { PATH, HOME, NODE_ENV: 'production', HOST: '127.0.0.1', PORT: String(port), ...env },
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  const kill = () => child.kill('SIGKILL')
  process.once('exit', kill)
  const gone = once(child, 'exit')
  while ((await ask(port, '/readyz')).status !== 200) {
    if (child.exitCode !== null) throw new Error(`${args.join(' ')} ended with ${child.exitCode} before it was ready`)
    if (performance.now() - startedAt > withinMs) throw new Error(`${args.join(' ')} is not ready after ${withinMs} ms`)
    await sleep(askEveryMs)
  }
  const readyMs = performance.now() - startedAt
  return {
    child,
    port,
    readyMs,
    stop: async () => {
      // A stop that does not wait until requests are led elsewhere.
      child.kill('SIGINT')
      await gone
      process.removeListener('exit', kill)
    },
  }
}

export function ask(port: number, path: string): Promise<{ status: number; text: string }> {
  return new Promise((resolve) => {
    const question = request({ host: '127.0.0.1', port, path, agent: false }, (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString() }))
    })
    // Nobody listens yet.
    question.on('error', () => resolve({ status: 0, text: '' }))
    question.end()
  })
}

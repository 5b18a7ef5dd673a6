import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { freePort } from './free-port.js'

export interface StartedRedis {
  url: string
  port: number
  /** Forgets everything, as a replaced server would. */
  flush(): Promise<void>
  /** `kill -9`, then a new start on the same port. It saves nothing by itself, but loads what a `SAVE` has left. */
  restart(): Promise<void>
  stop(): Promise<void>
}

/** A redis-server of the test's own, on a free port and in a folder that goes with it. */
export async function startRedis(): Promise<StartedRedis> {
  const dir = await mkdtemp(join(tmpdir(), 'bgc-redis-'))
  let { child, port } = await launchOnFreePort(dir)
  const kill = () => child.kill('SIGKILL')
  process.once('exit', kill)
  const end = async () => {
    if (child.exitCode !== null || child.signalCode !== null) return
    kill()
    await once(child, 'exit')
  }
  return {
    url: `redis://127.0.0.1:${port}`,
    port,
    flush: () => withClient(port, async (client) => void (await client.flushall())),
    async restart() {
      await end()
      child = await launch(dir, port)
    },
    async stop() {
      await end()
      process.removeListener('exit', kill)
      await rm(dir, { recursive: true, force: true })
    },
  }
}

/** Another process can take the port between asking for it and using it, so it is tried a few times. */
async function launchOnFreePort(dir: string, tries = 5): Promise<{ child: ChildProcess; port: number }> {
  const port = await freePort()
  try {
    return { child: await launch(dir, port), port }
  } catch (error) {
    if (tries <= 1) throw error
    return await launchOnFreePort(dir, tries - 1)
  }
}

async function launch(dir: string, port: number): Promise<ChildProcess> {
  const options = { port, bind: '127.0.0.1', dir, save: '', appendonly: 'no', 'maxmemory-policy': 'noeviction' }
  const args = Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)])
  const child = spawn('redis-server', args, { stdio: ['ignore', 'pipe', 'pipe'] })
  const failed = new Promise<never>((_resolve, reject) => {
    let said = ''
    const listen = (chunk: Buffer) => {
      said = `${said}${chunk.toString()}`.slice(-2000)
    }
    child.stdout.on('data', listen)
    child.stderr.on('data', listen)
    child.once('error', reject)
    child.once('exit', (code) => reject(new Error(`redis-server ended with ${code}: ${said}`)))
  })
  await Promise.race([failed, withClient(port, async (client) => void (await client.ping()))])
  failed.catch(() => 'it was up and has been stopped')
  return child
}

async function withClient(port: number, use: (client: Redis) => Promise<void>): Promise<void> {
  const client = new Redis({ port, maxRetriesPerRequest: 100, retryStrategy: () => 20 })
  client.on('error', () => 'the request fails when it has been tried often enough')
  try {
    await use(client)
  } finally {
    client.disconnect()
  }
}

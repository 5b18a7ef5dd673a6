import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { until } from '../../src/sandbox/index.js'
import { freePort } from './free-port.js'

/** A redis-server of the test's own, and what can happen to it. It keeps its port and its folder through restarts. */
export interface RedisServer {
  port: number
  /** `127.0.0.1:port`. */
  address: string
  /** For the test's own questions; it comes back by itself. */
  client: Redis
  /** `kill -9`. */
  kill: () => Promise<void>
  pause(): void
  goOn(): void
  /** Starts it again after `kill`, with what its folder holds. */
  start: () => Promise<void>
  stop(): Promise<void>
}

type Options = Readonly<Record<string, string | number>>

export interface ServerOptions {
  /** `sentinel`: its settings are in a file that it writes to. */
  kind?: 'server' | 'sentinel'
  options?: (port: number) => Options | Promise<Options>
  /** Lines of the file of a sentinel. */
  lines?: readonly string[]
}

/** Another process can take a port between asking for it and using it, so it is tried a few times. */
export async function startRedisServer(how: ServerOptions = {}, tries = 5): Promise<RedisServer> {
  const dir = await mkdtemp(join(tmpdir(), 'bgc-redis-'))
  const port = await freePort()
  const args = await argsOf(how, dir, port)
  const client = new Redis({ port, lazyConnect: true, maxRetriesPerRequest: 200, retryStrategy: () => 20 })
  client.on('error', () => 'a request fails when it has been tried often enough')
  let child: ChildProcess | undefined
  const kill = () => child?.kill('SIGKILL')
  process.once('exit', kill)
  const server: RedisServer = {
    port,
    address: `127.0.0.1:${port}`,
    client,
    kill: async () => {
      if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
      kill()
      await once(child, 'exit')
    },
    pause: () => void child?.kill('SIGSTOP'),
    goOn: () => void child?.kill('SIGCONT'),
    start: async () => {
      child = await launch(args, client)
    },
    stop: async () => {
      client.disconnect()
      await server.kill()
      process.removeListener('exit', kill)
      await rm(dir, { recursive: true, force: true })
    },
  }
  try {
    await server.start()
    return server
  } catch (error) {
    await server.stop()
    if (tries <= 1) throw error
    return startRedisServer(how, tries - 1)
  }
}

async function argsOf(how: ServerOptions, dir: string, port: number): Promise<string[]> {
  const common = { port, bind: '127.0.0.1', dir, ...(await how.options?.(port)) }
  if (how.kind === 'sentinel') {
    const file = join(dir, 'sentinel.conf')
    const settings = Object.entries(common).map(([name, value]) => `${name} ${value}`)
    await writeFile(file, [...settings, ...(how.lines ?? [])].join('\n'))
    return [file, '--sentinel']
  }
  const kept = { save: '', appendonly: 'no', 'maxmemory-policy': 'noeviction', 'repl-diskless-sync-delay': 0 }
  return Object.entries({ ...kept, ...common }).flatMap(([name, value]) => [`--${name}`, String(value)])
}

/** A machine that has much to do takes some seconds until the server listens. */
async function answers(client: Redis): Promise<void> {
  const isThere = () =>
    client.ping().then(
      () => true,
      () => false,
    )
  await until('redis-server answers', isThere, { timeoutMs: 30_000 })
}

async function launch(args: readonly string[], client: Redis): Promise<ChildProcess> {
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
  failed.catch(() => 'it was up and has been stopped')
  await Promise.race([failed, answers(client)])
  return child
}

/** Asks until the claim holds, also outside of a test, where `expect.poll` cannot. */
export async function untilHolds(what: string, probe: () => Promise<boolean>): Promise<void> {
  await until(what, probe, { timeoutMs: 20_000, everyMs: 20 })
}

/** What a replica still gets of its primary, and then no more: its link is cut, and does not come back. */
export async function cutOff(replica: RedisServer, primary: RedisServer): Promise<void> {
  await replica.client.config('SET', 'masterauth', 'a password that the primary does not have')
  await primary.client.call('CLIENT', 'KILL', 'TYPE', 'replica')
}

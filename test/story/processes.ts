import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { program } from '../support/programs.js'

const root = fileURLToPath(new URL('../..', import.meta.url))

/** The service as a process of its own, as an orchestrator would run it. */
export interface ServiceProcess {
  lines: string[]
  /** Settles when the service is up; rejects with its output when it ends before. */
  started: Promise<void>
  exited: Promise<{ code: number | null; signal: NodeJS.Signals | null }>
  signal(name: NodeJS.Signals): void
  /** `kill -9`, and nothing that it could have tidied up. */
  kill(): Promise<void>
  stop(): Promise<number | null>
}

const running = new Set<ChildProcess>()

export function startProcess(env: Record<string, string>): ServiceProcess {
  const { PATH = '', HOME = '' } = process.env
  const child = spawn(process.execPath, [program('src/main.ts')], {
    cwd: root,
    env: { PATH, HOME, LOG_LEVEL: 'info', BGC_DRAIN_MS: '0', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  running.add(child)
  const lines: string[] = []
  const exited = once(child, 'exit').then(([code, signal]) => {
    running.delete(child)
    return { code: code as number | null, signal: signal as NodeJS.Signals | null }
  })
  const started = new Promise<void>((resolve, reject) => {
    for (const stream of [child.stdout, child.stderr]) {
      createInterface({ input: stream }).on('line', (line) => {
        lines.push(line)
        if (line.includes('"app.started"')) resolve()
      })
    }
    void exited.then(({ code, signal }) => {
      reject(new Error(`the service ended (${signal ?? code}) before it was up:\n${lines.join('\n')}`))
    })
  })
  started.catch(() => undefined)
  const end = async (signal: NodeJS.Signals) => {
    child.kill(signal)
    return (await exited).code
  }
  return {
    lines,
    started,
    exited,
    signal: (name) => void child.kill(name),
    kill: async () => void (await end('SIGKILL')),
    stop: () => end('SIGTERM'),
  }
}

/** For afterEach: whatever a failed test left behind. */
export async function killAll(): Promise<void> {
  await Promise.all(
    [...running].map(async (child) => {
      const gone = once(child, 'exit')
      child.kill('SIGKILL')
      await gone
    }),
  )
}

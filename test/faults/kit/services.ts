import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { freePort } from '../../support/free-port.js'
import { program } from '../../support/programs.js'

const clock = fileURLToPath(new URL('clock.mjs', import.meta.url))
const root = fileURLToPath(new URL('../../..', import.meta.url))
const restartAfterMs = 200
const mostStarts = 4

/** One place in which a process of the service runs, and another when it ends by itself: what an orchestrator does. */
export class Service {
  readonly name: string
  readonly lines: string[] = []
  port = 0
  starts = 0
  /** Its wall clock against the machine's. */
  clockOffMs = 0
  #env: Record<string, string>
  #clockFile: string
  #child: ChildProcess | undefined
  #isWanted = true
  #wasUp = false
  #up: Promise<void> = Promise.resolve()

  constructor(name: string, env: Record<string, string>, folder: string) {
    this.name = name
    this.#env = env
    this.#clockFile = join(folder, `clock-${name}`)
  }

  async start(): Promise<this> {
    this.port = await freePort()
    await writeFile(this.#clockFile, '0')
    this.#launch()
    await this.#firstUp()
    return this
  }

  /** Settles when the process that runs now is up. */
  up(): Promise<void> {
    return this.#up
  }

  /** `kill -9`; the next one starts by itself, `awayMs` later. */
  async kill(awayMs: number): Promise<void> {
    this.#isWanted = false
    await this.end('SIGKILL')
    await sleep(awayMs)
    this.#isWanted = true
    this.#launch()
  }

  signal(name: NodeJS.Signals): void {
    this.#child?.kill(name)
  }

  /** What ended the process that ran last; `null` while it runs, or when it ended by itself. */
  get endedBy(): NodeJS.Signals | null {
    return this.#child?.signalCode ?? null
  }

  /** Sets its wall clock. */
  async moveClock(byMs: number): Promise<void> {
    this.clockOffMs += byMs
    await writeFile(this.#clockFile, String(this.clockOffMs))
    this.signal('SIGUSR2')
  }

  /** Whether it was told to stand still, and does (proc(5), stat). */
  async isStopped(): Promise<boolean> {
    const stat = await readFile(`/proc/${this.#child?.pid}/stat`, 'utf8')
    return stat.slice(stat.lastIndexOf(')')).startsWith(') T')
  }

  async end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    const exited = once(child, 'exit')
    child.kill('SIGCONT')
    child.kill(signal)
    await exited
  }

  /** `kill -9` before it returns; no other takes its place. Settles when it is gone. */
  async stop(): Promise<void> {
    this.#isWanted = false
    await this.end('SIGKILL')
  }

  /** What cannot start at all is no matter for a run. */
  async #firstUp(): Promise<void> {
    while (!this.#wasUp) {
      if (this.starts >= mostStarts) throw new Error(`the service does not start:\n${this.lines.join('\n')}`)
      await sleep(20)
    }
  }

  /** Another program can stand here. */
  protected spawn(env: Record<string, string>): ChildProcess {
    return spawn(process.execPath, ['--import', clock, program('test/faults/kit/service.ts')], {
      cwd: root,
      env: { ...env, CLOCK_STEP_FILE: this.#clockFile },
      // It reads nothing, but learns from its input's end that nobody waits for it any more.
      stdio: ['pipe', 'pipe', 'pipe'],
    })
  }

  protected hear(line: string): void {
    this.lines.push(line)
  }

  protected noteEndByItself(): void {
    this.lines.push('ended by itself')
  }

  #launch(): void {
    this.starts += 1
    const child = this.spawn({ ...this.#env, PORT: String(this.port) })
    this.#child = child
    this.#up = new Promise((resolve) => {
      for (const stream of [child.stdout, child.stderr]) {
        if (stream === null) continue
        createInterface({ input: stream }).on('line', (line) => {
          this.hear(line)
          if (!line.includes('"app.started"')) return
          this.#wasUp = true
          resolve()
        })
      }
    })
    child.once('exit', () => {
      if (!this.#isWanted || this.#child !== child) return
      this.noteEndByItself()
      setTimeout(() => this.#isWanted && this.#launch(), restartAfterMs)
    })
  }
}

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { Service } from '../../test/faults/kit/services.js'
import { freePort } from '../../test/support/free-port.js'

const restartAfterMs = 200
const mostFirstStarts = 4

/** The kit's place for a process, but with the compiled program, its own entry point and a log in a file. */
export class Process extends Service {
  /** When it ended without having been told to, ms since 1970. */
  readonly endedByItself: number[] = []
  readonly #program: string
  readonly #env: Record<string, string>
  readonly #logFile: string
  #child: ChildProcess | undefined
  #isWanted = true
  #up: Promise<void> = Promise.resolve()

  constructor(name: string, program: string, env: Record<string, string>, folder: string) {
    super(name, env, folder)
    this.#program = program
    this.#env = env
    this.#logFile = join(folder, `process-${name}.log`)
    process.once('exit', () => this.#child?.kill('SIGKILL'))
  }

  override async start(): Promise<this> {
    this.port = await freePort()
    this.#launch()
    await Promise.race([this.#up, this.#failedToStart()])
    return this
  }

  override up(): Promise<void> {
    return this.#up
  }

  override async kill(awayMs: number): Promise<void> {
    this.#isWanted = false
    await this.end('SIGKILL')
    await sleep(awayMs)
    this.#isWanted = true
    this.#launch()
  }

  override signal(name: NodeJS.Signals): void {
    this.#child?.kill(name)
  }

  override async isStopped(): Promise<boolean> {
    // proc(5): the state follows the name, which stands in brackets.
    const stat = await readFile(`/proc/${this.#child?.pid}/stat`, 'utf8')
    return stat.slice(stat.lastIndexOf(')')).startsWith(') T')
  }

  override async end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    const exited = once(child, 'exit')
    child.kill('SIGCONT')
    child.kill(signal)
    await exited
  }

  override async stop(): Promise<void> {
    this.#isWanted = false
    await this.end('SIGKILL')
  }

  /** Lines that no fault needs any more: they are in the file. */
  forgetLines(): void {
    this.lines.length = 0
  }

  async #failedToStart(): Promise<never> {
    while (this.starts < mostFirstStarts) await sleep(50)
    throw new Error(`the service does not start:\n${this.lines.join('\n')}`)
  }

  #launch(): void {
    this.starts += 1
    const child = spawn(process.execPath, [this.#program], {
      env: { ...this.#env, PORT: String(this.port) },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    this.#child = child
    const log = createWriteStream(this.#logFile, { flags: 'a' })
    this.#up = new Promise((resolve) => {
      for (const stream of [child.stdout, child.stderr]) {
        createInterface({ input: stream }).on('line', (line) => {
          this.lines.push(line)
          log.write(`${line}\n`)
          if (line.includes('"app.started"')) resolve()
        })
      }
    })
    child.once('exit', () => {
      if (!this.#isWanted || this.#child !== child) return
      this.endedByItself.push(Date.now())
      setTimeout(() => this.#isWanted && this.#launch(), restartAfterMs)
    })
  }
}

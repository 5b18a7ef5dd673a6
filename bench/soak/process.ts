import { type ChildProcess, spawn } from 'node:child_process'
import { createWriteStream, type WriteStream } from 'node:fs'
import { join } from 'node:path'
import { Service } from '../../test/faults/kit/services.js'

/** The kit's place for a process, but with the compiled program, its own entry point and a log in a file. */
export class Process extends Service {
  /** When it ended without having been told to, ms since 1970. */
  readonly endedByItself: number[] = []
  readonly #program: string
  readonly #log: WriteStream
  #child: ChildProcess | undefined

  constructor(name: string, program: string, env: Record<string, string>, folder: string) {
    super(name, env, folder)
    this.#program = program
    this.#log = createWriteStream(join(folder, `process-${name}.log`), { flags: 'a' })
    process.once('exit', () => this.#child?.kill('SIGKILL'))
  }

  /** Lines that no fault needs any more: they are in the file. */
  forgetLines(): void {
    this.lines.length = 0
  }

  protected override spawn(env: Record<string, string>): ChildProcess {
    this.#child = spawn(process.execPath, [this.#program], { env, stdio: ['ignore', 'pipe', 'pipe'] })
    return this.#child
  }

  protected override hear(line: string): void {
    super.hear(line)
    this.#log.write(`${line}\n`)
  }

  protected override noteEndByItself(): void {
    this.endedByItself.push(Date.now())
  }
}

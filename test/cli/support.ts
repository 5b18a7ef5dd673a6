import { type ChildProcess, spawn } from 'node:child_process'
import { program } from '../support/programs.js'

export interface Ended {
  code: number | null
  out: string
  err: string
}

export interface Running {
  child: ChildProcess
  ended: Promise<Ended>
  /** Waits until the output has it, and answers all of the output. */
  untilOut(text: string): Promise<string>
}

export const cli = 'src/cli.ts'

/** A whole environment, so that nothing of the one of the tests configures the command. */
export const bare = { PATH: process.env.PATH ?? '', HOME: process.env.HOME ?? '' }

export const complete = {
  ...bare,
  HOST: '127.0.0.1',
  PORT: '0',
  FEISHU_APP_ID: 'cli_test0001',
  FEISHU_APP_SECRET: 'test-app-secret',
  FEISHU_ENCRYPT_KEY: 'test-encrypt-key',
  FEISHU_VERIFICATION_TOKEN: 'test-verification-token',
  FEISHU_BASE_URL: 'http://127.0.0.1:9',
  VENDOR_BASE_URL: 'http://127.0.0.1:9',
  VENDOR_API_KEY: 'test-vendor-key',
}

type Input = 'ignore' | 'pipe'

export function start(args: readonly string[], env: Record<string, string> = bare, input: Input = 'ignore'): Running {
  return startScript(cli, args, env, input)
}

export function startScript(
  script: string,
  args: readonly string[],
  env: Record<string, string>,
  input: Input = 'ignore',
): Running {
  const child = spawn(process.execPath, [program(script), ...args], { env, stdio: [input, 'pipe', 'pipe'] })
  const seen = { out: '', err: '' }
  const waiting = new Set<() => void>()
  child.stdout?.on('data', (chunk: Buffer) => {
    seen.out += String(chunk)
    for (const look of waiting) look()
  })
  child.stderr?.on('data', (chunk: Buffer) => {
    seen.err += String(chunk)
  })
  const ended = new Promise<Ended>((resolve) => child.once('close', (code) => resolve({ code, ...seen })))
  const untilOut = (text: string) =>
    new Promise<string>((resolve, reject) => {
      const look = () => {
        if (seen.out.includes(text)) resolve(seen.out)
      }
      waiting.add(look)
      look()
      void ended.then(() => reject(new Error(`it ended without ${text}: ${seen.out}${seen.err}`)))
    })
  return { child, ended, untilOut }
}

export function run(args: readonly string[], env: Record<string, string> = bare): Promise<Ended> {
  return start(args, env).ended
}

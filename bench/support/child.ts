import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { openSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { programs } from './programs.js'

/** A process of its own that answers questions, so that its CPU is nobody else's. */
export interface Child {
  pid: number
  ask<T>(question: string, given?: unknown): Promise<T>
  stop(): Promise<void>
}

interface Answer {
  id: number
  value?: unknown
  failure?: string
}

export interface ChildOptions {
  env?: Record<string, string>
  /** Where its stdout goes; nowhere without it. */
  logFile?: string
  nodeArgs?: readonly string[]
}

/** Starts the compiled form of a file of this folder, such as `sync/door`. */
export async function startChild(file: string, options: ChildOptions = {}): Promise<Child> {
  const { PATH = '', HOME = '' } = process.env
  const stdout = options.logFile === undefined ? 'ignore' : openSync(options.logFile, 'a')
  const child = spawn(process.execPath, [...(options.nodeArgs ?? []), `${programs}/bench/${file}.js`], {
    cwd: fileURLToPath(new URL('../..', import.meta.url)),
    env: { PATH, HOME, NODE_ENV: 'production', ...options.env },
    stdio: ['ignore', stdout, 'inherit', 'ipc'],
    serialization: 'advanced',
  })
  const kill = () => child.kill('SIGKILL')
  process.once('exit', kill)
  const questions = new Map<number, (answer: Answer) => void>()
  let asked = 0
  let end: string | undefined
  child.on('message', (answer: Answer) => questions.get(answer.id)?.(answer))
  const ended = once(child, 'exit').then(([code, signal]) => {
    end = `${file} ended with ${code ?? signal}`
    for (const [id, answer] of questions) answer({ id, failure: end })
  })
  const ask = <T>(question: string, given?: unknown) =>
    new Promise<T>((resolve, reject) => {
      asked += 1
      const id = asked
      questions.set(id, ({ value, failure }) => {
        questions.delete(id)
        if (failure === undefined) resolve(value as T)
        else reject(new Error(`${file}, ${question}: ${failure}`))
      })
      if (end === undefined) child.send({ id, question, given })
      else questions.get(id)?.({ id, failure: end })
    })
  await Promise.race([once(child, 'message'), ended])
  if (end !== undefined) throw new Error(`${end} before it was up`)
  return {
    pid: child.pid ?? 0,
    ask,
    stop: async () => {
      process.removeListener('exit', kill)
      if (end !== undefined) throw new Error(`${end} before it was told to`)
      child.send({ id: 0, question: 'stop' })
      await ended
    },
  }
}

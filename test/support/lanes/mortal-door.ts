import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import type { Mortal } from './mortal.js'

/** The way of one process to Feishu. */
export interface MortalDoor {
  url: string
  /** Nothing goes in or out any more; what went out before arrives, as from the buffers of a dead process' machine. */
  shut(): void
  /** Settles when what went out before the door was shut has had its effect, or never will. */
  quiet(): Promise<void>
}

/** Longer than any answer of the sandbox but those that never come. */
const longestAnswerMs = 150

/** A TCP door in front of Feishu: a request is a step before it is written, an answer one before it is read. */
export async function startMortalDoor(target: string, life: Mortal): Promise<MortalDoor> {
  const { port } = new URL(target)
  const ways = new Set<Way>()
  const server = createServer((inside) => {
    const way = openWay(inside, Number(port), life)
    ways.add(way)
    way.outside.once('close', () => ways.delete(way))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  const shut = () => {
    server.close()
    for (const { inside } of ways) inside.destroy()
  }
  const over = Promise.race([life.ended, life.stalled]).then(shut)
  return {
    url: `http://127.0.0.1:${address.port}`,
    shut,
    quiet: async () => {
      await over
      await Promise.all([...ways].map((way) => way.answered()))
      for (const { outside } of ways) outside.destroy()
    },
  }
}

interface Way {
  inside: Socket
  outside: Socket
  answered(): Promise<void>
}

function openWay(inside: Socket, port: number, life: Mortal): Way {
  const outside = connect(port, '127.0.0.1')
  let awaits = false
  let isShut = false
  let onAnswer: () => void = () => undefined
  void Promise.race([life.ended, life.stalled]).then(() => {
    isShut = true
  })
  inside.setNoDelay(true)
  outside.setNoDelay(true)
  inside.on('data', (request: Buffer) => {
    if (isShut || !life.step('call')) return
    awaits = true
    outside.write(request)
  })
  outside.on('data', (answer: Buffer) => {
    awaits = false
    onAnswer()
    if (!isShut && life.step() && !inside.destroyed) inside.write(answer)
  })
  inside.on('error', () => inside.destroy())
  outside.on('error', () => outside.destroy())
  // A process that gives a call up resets its connection; one that died does not reach for it any more.
  inside.once('close', () => !isShut && !life.isDead && outside.resetAndDestroy())
  outside.once('close', () => {
    onAnswer()
    inside.destroy()
  })
  const answered = async () => {
    if (!awaits || outside.destroyed) return
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, longestAnswerMs)
      onAnswer = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }
  return { inside, outside, answered }
}

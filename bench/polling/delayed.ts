import { DelayedError, type Job, Worker } from 'bullmq'
import { Redis } from 'ioredis'
import { answerQuestions } from '../support/answer.js'
import { queueName } from './bullmq.js'

/* The same with BullMQ: each order is a delayed job; a worker takes those that are due and delays them again. */

let done = 0
let run: () => unknown = () => undefined
let end: () => Promise<void> = async () => undefined

interface Terms {
  intervalMs: number
  concurrency: number
}

async function connect({ intervalMs, concurrency }: Terms): Promise<void> {
  done = 0
  const connection = new Redis(process.env.REDIS_URL ?? '', { maxRetriesPerRequest: null })
  const again = async (job: Job, token?: string) => {
    await job.moveToDelayed(Date.now() + intervalMs, token)
    done += 1
    throw new DelayedError()
  }
  const worker = new Worker(queueName, again, { connection, concurrency, autorun: false })
  worker.on('error', () => 'the counts tell')
  await worker.waitUntilReady()
  run = () => {
    worker.run().catch(() => 'the counts tell')
  }
  end = async () => {
    await worker.close()
    connection.disconnect()
  }
}

answerQuestions({ connect, run: () => run(), done: () => done, end: () => end() }, async () => undefined)

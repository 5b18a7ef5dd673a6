import { DelayedError, Worker } from 'bullmq'
import { Redis } from 'ioredis'
import { answerQuestions } from '../support/answer.js'
import { queueName } from './bullmq.js'

/* The same with BullMQ: each order is a delayed job; a worker takes those that are due and delays them again. */

let done = 0

async function run({ intervalMs, concurrency }: { intervalMs: number; concurrency: number }): Promise<void> {
  done = 0
  const connection = new Redis(process.env.REDIS_URL ?? '', { maxRetriesPerRequest: null })
  const again = async (job: { moveToDelayed(at: number, token?: string): Promise<void> }, token?: string) => {
    await job.moveToDelayed(Date.now() + intervalMs, token)
    done += 1
    throw new DelayedError()
  }
  const worker = new Worker(queueName, again, { connection, concurrency })
  worker.on('error', () => 'the counts tell')
  ending = async () => {
    await worker.close()
    connection.disconnect()
  }
}

let ending: () => Promise<void> = async () => {}

answerQuestions(
  {
    run,
    done: () => done,
    end: () => ending(),
    cpuMs: () => (process.cpuUsage().user + process.cpuUsage().system) / 1000,
  },
  async () => undefined,
)

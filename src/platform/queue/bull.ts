import { Queue, Worker } from 'bullmq'
import type { Redis } from 'ioredis'
import type { Logger } from '../logger.js'
import { createLocalHints, type Hints, type Topic } from './hints.js'
import { connectRedis } from './redis.js'

export interface BullHintsOptions {
  redisUrl: string
  log: Logger
  /** Keeps services apart that share one Redis. */
  prefix?: string
}

/**
 * Hints over processes: BullMQ jobs that only wake somebody. A topic that this process listens to is woken directly.
 *
 * A job ends at once and its lock is short, since after a `kill -9` a hint of the same key is swallowed until the
 * lost job counts as stalled.
 */
export function createBullHints({ redisUrl, log, prefix = '{bgc}' }: BullHintsOptions): Hints {
  const local = createLocalHints()
  const listening = new Set<Topic>()
  const senders = new Map<Topic, Sender>()
  const workers: Worker[] = []
  // A lost hint costs a scan interval, so sending must never wait for Redis.
  const producer = connectRedis(redisUrl, log, 'commands')
  const consumer = connectRedis(redisUrl, log, 'blocking')
  const senderOf = (topic: Topic) => {
    const sender = senders.get(topic) ?? createSender(topic, producer, prefix, log)
    senders.set(topic, sender)
    return sender
  }
  return {
    send: (topic, key = '') => {
      if (listening.has(topic)) local.send(topic, key)
      else senderOf(topic).send(key)
    },
    listen: (topic, wake) => {
      listening.add(topic)
      local.listen(topic, wake)
      workers.push(createWorker(topic, consumer, prefix, log, wake))
    },
    stop: async () => {
      await Promise.all(workers.map((worker) => worker.close(true)))
      await Promise.all([...senders.values()].map((sender) => sender.close()))
      producer.disconnect()
      consumer.disconnect()
    },
  }
}

interface Sender {
  send(key: string): void
  close(): Promise<void>
}

function createSender(topic: Topic, connection: Redis, prefix: string, log: Logger): Sender {
  const queue = new Queue(topic, { connection, prefix, skipWaitingForReady: true, skipVersionCheck: true })
  queue.on('error', (failure) =>
    log.debug({ event: 'hint.queue_error', topic, err: failure }, 'the hint queue has an error'),
  )
  const waiting = new Set<string>()
  const flush = () => {
    const jobs = [...waiting].map((key) => ({
      name: topic,
      data: { key },
      opts: {
        removeOnComplete: true,
        removeOnFail: true,
        deduplication: { id: `${topic}:${key}`, keepLastIfActive: true },
      },
    }))
    waiting.clear()
    queue.addBulk(jobs).catch((failure: unknown) => {
      log.debug(
        { event: 'hint.lost', topic, hints: jobs.length, err: failure },
        'hints were lost; the next scan finds the rows',
      )
    })
  }
  return {
    send: (key) => {
      if (waiting.size === 0) setImmediate(flush)
      waiting.add(key)
    },
    close: () => queue.close(),
  }
}

function createWorker(
  topic: Topic,
  connection: Redis,
  prefix: string,
  log: Logger,
  wake: (key: string) => void,
): Worker {
  const worker = new Worker<{ key: string }>(topic, async (job) => wake(job.data.key), {
    connection,
    prefix,
    concurrency: 50,
    lockDuration: 10_000,
    stalledInterval: 5000,
    skipVersionCheck: true,
  })
  worker.on('error', (failure) =>
    log.debug({ event: 'hint.worker_error', topic, err: failure }, 'the hint worker has an error'),
  )
  return worker
}

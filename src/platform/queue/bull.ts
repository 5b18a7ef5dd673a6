import { createRequire } from 'node:module'
import type * as BullMq from 'bullmq'
import type { Logger } from '../logger.js'
import { createLocalHints, type Hints, type Topic } from './hints.js'
import { connectRedis, type RedisClient, type RedisPlace } from './redis.js'

/** `require`, since an `import` of this package's many small modules takes twice the time. */
const { Queue, Worker } = createRequire(import.meta.url)('bullmq') as typeof BullMq

export interface BullHintsOptions {
  redis: RedisPlace
  log: Logger
  /** Keeps services apart that share one Redis. The braces put all keys into one slot of a cluster. */
  prefix?: string
}

/**
 * Hints over processes: BullMQ jobs that only wake somebody. A topic that this process listens to is woken directly.
 *
 * A job ends at once and its lock is short, since after a `kill -9` a hint of the same key is swallowed until the
 * lost job counts as stalled.
 */
export function createBullHints({ redis, log, prefix = '{bgc}' }: BullHintsOptions): Hints {
  const local = createLocalHints()
  const listening = new Set<Topic>()
  const senders = new Map<Topic, Sender>()
  const workers: BullMq.Worker[] = []
  // A lost hint costs a scan interval, so sending must never wait for Redis.
  const producer = connectRedis(redis, log, 'commands')
  const consumer = connectRedis(redis, log, 'blocking')
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

function createSender(topic: Topic, connection: RedisClient, prefix: string, log: Logger): Sender {
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
  connection: RedisClient,
  prefix: string,
  log: Logger,
  wake: (key: string) => void,
): BullMq.Worker {
  const worker = new Worker<{ key: string }>(topic, async (job) => wake(job.data.key), {
    connection,
    prefix,
    concurrency: 50,
    lockDuration: 10_000,
    stalledInterval: 5000,
    runRetryDelay: 1000,
    skipVersionCheck: true,
  })
  worker.on('error', (failure) =>
    log.debug({ event: 'hint.worker_error', topic, err: failure }, 'the hint worker has an error'),
  )
  return worker
}

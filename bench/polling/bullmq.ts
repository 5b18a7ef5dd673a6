import { setTimeout as sleep } from 'node:timers/promises'
import { Queue } from 'bullmq'
import { Redis } from 'ioredis'
import { type Child, startChild } from '../support/child.js'
import { sum } from '../support/figures.js'
import type { Stores } from '../support/stores.js'
import { until } from '../support/wait.js'
import { intervalMs } from './settings.js'

export const queueName = 'bench-polls'
const dueInMs = 1000

export interface DelayedRun {
  perSecond: number
  bytesEach: number
}

/** Adds jobs that are due in a second, measures their memory, and lets workers that are warm delay all of them again. */
export async function runDelayed(stores: Stores, workers: readonly Child[], jobs: number): Promise<DelayedRun> {
  await delayAll(stores, workers, Math.ceil(jobs / 8))
  return delayAll(stores, workers, jobs)
}

async function delayAll({ redisUrl }: Stores, workers: readonly Child[], jobs: number): Promise<DelayedRun> {
  const redis = new Redis(redisUrl, { maxRetriesPerRequest: null })
  const queue = new Queue(queueName, { connection: redis })
  await queue.obliterate({ force: true })
  const before = await usedBytes(redis)
  for (let from = 0; from < jobs; from += 500) await queue.addBulk(someJobs(from, Math.min(jobs, from + 500)))
  const bytesEach = ((await usedBytes(redis)) - before) / jobs
  await sleep(dueInMs)
  await Promise.all(workers.map((worker) => worker.ask('connect', { intervalMs, concurrency: 500 })))
  const count = async () => sum(await Promise.all(workers.map((worker) => worker.ask<number>('done'))))
  const startedAt = performance.now()
  await Promise.all(workers.map((worker) => worker.ask('run')))
  await until('all jobs are delayed again', async () => (await count()) >= jobs, 120_000, 20)
  const seconds = (performance.now() - startedAt) / 1000
  await Promise.all(workers.map((worker) => worker.ask('end')))
  await queue.obliterate({ force: true })
  await queue.close()
  redis.disconnect()
  return { perSecond: jobs / seconds, bytesEach }
}

export function startDelayed({ redisUrl }: Stores, count: number): Promise<Child[]> {
  return Promise.all(
    Array.from({ length: count }, () => startChild('polling/delayed', { env: { REDIS_URL: redisUrl } })),
  )
}

/** The data that a poll needs, and nothing else. */
function someJobs(from: number, to: number) {
  return Array.from({ length: to - from }, (_, index) => {
    const id = `V-7400000000${String(from + index).padStart(9, '0')}`
    return { name: 'poll', data: { tenantKey: `t${index % 500}`, intervalMs }, opts: { jobId: id, delay: dueInMs } }
  })
}

export async function usedBytes(redis: Redis): Promise<number> {
  return Number(/used_memory:(\d+)/.exec(await redis.info('memory'))?.[1])
}

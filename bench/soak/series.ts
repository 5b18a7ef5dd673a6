import type { Latencies } from './latency.js'
import type { ProcessSample, RedisSample, Sample, StoreSample } from './sample.js'
import type { Point } from './slope.js'
import { checkFlat, checkSteady, type FlatRule, type Span, type SteadyRule, type Terms } from './verdict.js'

const least = (values: readonly number[]) => Math.min(...values)

/** What the processes hold: the least in each quarter of a minute, since a collector runs when it wants to. */
const memory: ReadonlyArray<FlatRule & { of: keyof ProcessSample }> = [
  { of: 'rssMiB', what: 'resident memory is flat', perHour: 4, atAll: 24, pick: least },
  { of: 'heapMiB', what: 'used heap is flat', perHour: 2, atAll: 8, pick: least },
]
const ofProcesses: ReadonlyArray<SteadyRule & { of: keyof ProcessSample }> = [
  { of: 'files', what: 'open files and sockets of a process', unit: '', slack: 10 },
  { of: 'handles', what: 'active handles of a process', unit: '', slack: 10 },
  { of: 'loopLagMs', what: 'lag of the event loop, p99', unit: 'ms', slack: 20, digits: 1 },
]
const ofStore: ReadonlyArray<SteadyRule & { of: keyof StoreSample }> = [
  { of: 'connections', what: 'connections to PostgreSQL', unit: '', slack: 5 },
  { of: 'queueTablesMiB', what: 'tables of what is under way', unit: 'MiB', slack: 2, digits: 2 },
  { of: 'eventsWaiting', what: 'events waiting', unit: '', slack: 3 },
  { of: 'deliveriesWaiting', what: 'deliveries waiting', unit: '', slack: 5 },
  { of: 'oldestDeliveryS', what: 'oldest delivery that waits', unit: 's', slack: 2, digits: 1 },
  { of: 'ordersOpen', what: 'orders open', unit: '', slack: 10 },
  { of: 'tasksLateS', what: 'lateness of tasks for the vendor', unit: 's', slack: 1, digits: 2 },
  { of: 'pollsLateS', what: 'lateness of polls', unit: 's', slack: 1, digits: 2 },
]
const ofRedis: ReadonlyArray<SteadyRule & { of: keyof RedisSample }> = [
  { of: 'redisKeys', what: 'keys in Redis', unit: '', slack: 20 },
  { of: 'redisMiB', what: 'memory of Redis', unit: 'MiB', slack: 1, digits: 2 },
]
const ofLatencies: ReadonlyArray<SteadyRule & { of: keyof Latencies }> = [
  { of: 'toVendor', what: 'from an event to the first call to the vendor', unit: 'ms', slack: 100 },
  { of: 'toFeishu', what: 'from the vendor’s change to the first call to Feishu', unit: 'ms', slack: 300 },
]

/** Whether memory is flat and everything else is as at the beginning. */
export function checkAll(samples: readonly Sample[], latencies: Latencies, faults: readonly Span[], terms: Terms) {
  const steady = (rule: SteadyRule, points: readonly Point[]) => checkSteady(rule, points, faults, terms)
  const hasRedis = samples.some(({ redis }) => redis !== undefined)
  return [
    ...memory.map((rule) => checkFlat(rule, processSeries(samples, rule.of), terms)),
    ...ofProcesses.map((rule) => steady(rule, processSeries(samples, rule.of))),
    ...ofStore.map((rule) => steady(rule, storeSeries(samples, rule.of))),
    ...(hasRedis ? ofRedis.map((rule) => steady(rule, redisSeries(samples, rule.of))) : []),
    ...ofLatencies.map((rule) => steady(rule, latencies[rule.of])),
  ]
}

export function processSeries(samples: readonly Sample[], of: keyof ProcessSample): Point[] {
  return samples.flatMap(({ at, processes }) =>
    processes.map((each) => ({ at, value: Number(each[of]), life: each.life })),
  )
}

export function storeSeries(samples: readonly Sample[], of: keyof StoreSample): Point[] {
  return samples.flatMap(({ at, store }) => (store === undefined ? [] : [{ at, value: store[of] }]))
}

export function redisSeries(samples: readonly Sample[], of: keyof RedisSample): Point[] {
  return samples.flatMap(({ at, redis }) => (redis === undefined ? [] : [{ at, value: redis[of] }]))
}

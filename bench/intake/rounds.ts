import type { Work } from './database.js'
import type { Pushed } from './load.js'
import type { Commit } from './service.js'
import type { Settings } from './settings.js'
import type { Door, World } from './world.js'

export interface Turn extends Pushed {
  cpuUsPerEvent: number
}

export interface Round {
  sdk: Turn
  service: Turn
  ratio: number
  commits: Commit[]
  /** Of PostgreSQL, per event. */
  postgres: Work
}

/** In turns, so that whatever else the machine does meets both doors. */
export async function saturate(world: World, { rounds, warmUpEvents, events }: Settings): Promise<Round[]> {
  await world.makePushes(warmUpEvents)
  await world.saturate(world.sdk)
  await world.saturate(world.service)
  const all: Round[] = []
  for (let round = 0; round < rounds; round += 1) {
    await world.makePushes(events)
    all.push(await bothDoors(world, events))
  }
  await checkKept(world, warmUpEvents + rounds * events)
  return all
}

async function bothDoors(world: World, events: number): Promise<Round> {
  const sdk = await turn(world, world.sdk, events)
  const before = await world.ground.work()
  await world.service.child.ask('commits')
  const service = await turn(world, world.service, events)
  const commits = await world.service.child.ask<Commit[]>('commits')
  const after = await world.ground.work()
  const postgres = {
    walBytes: (after.walBytes - before.walBytes) / events,
    walSyncs: (after.walSyncs - before.walSyncs) / events,
    cpuMs: (after.cpuMs - before.cpuMs) / events,
  }
  return { sdk, service, ratio: service.perSecond / sdk.perSecond, commits, postgres }
}

async function turn(world: World, door: Door, events: number): Promise<Turn> {
  const before = await door.child.ask<number>('cpuMs')
  const pushed = await world.saturate(door)
  const after = await door.child.ask<number>('cpuMs')
  return { ...pushed, cpuUsPerEvent: (1000 * (after - before)) / events }
}

export interface Steady {
  sdk: Pushed
  service: Pushed
}

/** Each door in turn gets the same events at a pace that it can keep. */
export async function keepPace(world: World, settings: Settings): Promise<Steady[]> {
  const events = settings.steadyPerSecond * settings.steadySeconds
  const before = await world.ground.events()
  const all: Steady[] = []
  for (let round = 0; round < settings.steadyRounds; round += 1) {
    await world.makePushes(events)
    all.push({ sdk: await world.steady(world.sdk), service: await world.steady(world.service) })
  }
  await checkKept(world, before + settings.steadyRounds * events)
  return all
}

/** What was answered 200 is a row; any other answer has ended the run already. */
async function checkKept({ ground, sdk }: World, events: number): Promise<void> {
  const kept = await ground.events()
  if (kept !== events) throw new Error(`${events} events were acknowledged, and ${kept} are rows`)
  const handled = await sdk.child.ask<number>('handled')
  if (handled !== events) throw new Error(`the SDK answered ${events} events and handled ${handled}`)
}

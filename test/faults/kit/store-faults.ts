import type { Fault, MakeFault } from './catalogue.js'
import { complaints, cutConnections } from './felt.js'
import type { OwnPostgres } from './postgres.js'
import type { OwnRedis } from './redis.js'
import type { World } from './world.js'

type Side = 'redis' | 'postgres'

export const redisFaults = {
  'redis emptied': (world) => redisEmptied(redisOf(world)),
  'redis restarted': (world) => restarted(world, 'redis', redisOf(world)),
  'redis gone': (world) => redisGone(world),
  'redis paused': (world) =>
    onRedis(
      world,
      (redis) => redis.pause(),
      (redis) => redis.goOn(),
    ),
  'redis full': (world) => redisFull(redisOf(world)),
} satisfies Record<string, MakeFault>

export const postgresFaults = {
  'postgres restarted': (world) => restarted(world, 'postgres', postgresOf(world)),
  'postgres gone': (world) => postgresGone(world),
  'postgres crowded': (world) => postgresCrowded(world),
  'postgres fails over': (world) => postgresFailsOver(world),
} satisfies Record<string, MakeFault>

export const embeddedFaults = {
  'own postgres killed': (world) => ownPostgresKilled(world),
  'disk full': (world) => diskFull(world),
} satisfies Record<string, MakeFault>

function redisOf({ redis }: World): OwnRedis {
  if (redis === undefined) throw new Error('no Redis in this world')
  return redis
}

function postgresOf({ postgres }: World): OwnPostgres {
  if (postgres === undefined) throw new Error('no PostgreSQL in this world')
  return postgres
}

/** Back before anybody may have complained: who has to connect again has felt it. */
function restarted(world: World, subject: Side, server: Pick<OwnRedis, 'kill' | 'back'>): Fault {
  const cut = cutConnections(world, subject)
  return {
    subject,
    losesAnswers: false,
    begin: async () => {
      cut.start()
      await server.kill()
      await server.back()
    },
    end: async () => undefined,
    bites: () => cut.count(),
  }
}

function redisEmptied(redis: OwnRedis): Fault {
  let lost = 0
  return {
    subject: 'redis',
    losesAnswers: false,
    begin: async () => {
      lost = (await redis.keys()).length
      await redis.empty()
    },
    end: async () => undefined,
    bites: async () => {
      // Before the first call there is nothing to lose.
      if (lost === 0) {
        lost = (await redis.keys()).length
        await redis.empty()
      }
      return lost
    },
  }
}

function onRedis(
  world: World,
  harm: (redis: OwnRedis) => Promise<void>,
  mend: (redis: OwnRedis) => Promise<void>,
): Fault {
  const complained = complaints(world)
  return {
    subject: 'redis',
    losesAnswers: false,
    begin: async () => {
      complained.start()
      await harm(redisOf(world))
    },
    end: () => mend(redisOf(world)),
    bites: () => complained.count(),
  }
}

function redisGone(world: World): Fault {
  return onRedis(
    world,
    (redis) => redis.kill(),
    (redis) => redis.back(),
  )
}

function redisFull(redis: OwnRedis): Fault {
  let before = 0
  return {
    subject: 'redis',
    losesAnswers: false,
    begin: async () => {
      before = await redis.refusedWrites()
      await redis.fill()
    },
    end: () => redis.unfill(),
    bites: async () => (await redis.refusedWrites()) - before,
  }
}

function onPostgres(world: World, harm: () => Promise<void>, mend: () => Promise<void>): Fault {
  const complained = complaints(world)
  return {
    subject: 'postgres',
    losesAnswers: false,
    begin: async () => {
      complained.start()
      await harm()
    },
    end: mend,
    bites: () => complained.count(),
  }
}

function postgresGone(world: World): Fault {
  const postgres = postgresOf(world)
  return onPostgres(
    world,
    () => postgres.kill(),
    () => postgres.back(),
  )
}

function postgresCrowded(world: World): Fault {
  const postgres = postgresOf(world)
  const isOver = complaints(world, 'too many connections')
  const fault = onPostgres(
    world,
    () => postgres.limitConnections(2),
    () => postgres.limitConnections(null),
  )
  return {
    ...fault,
    begin: async () => {
      isOver.start()
      await fault.begin()
    },
    bites: () => isOver.count(),
  }
}

/** The primary is lost; a moment later its standby answers at another address, to which the name then points. */
function postgresFailsOver(world: World): Fault {
  const postgres = postgresOf(world)
  const links = world.places.flatMap(({ links }) => links.postgres ?? [])
  return onPostgres(
    world,
    () => postgres.loseForGood(),
    async () => {
      const port = await postgres.promote()
      for (const link of links) link.aim([port])
    },
  )
}

function ownPostgresKilled(world: World): Fault {
  return onPostgres(
    world,
    async () => {
      const pid = await world.embedded?.pid()
      if (pid === undefined) throw new Error('no PostgreSQL in this world')
      process.kill(pid, 'SIGKILL')
    },
    async () => undefined,
  )
}

function diskFull(world: World): Fault {
  const complained = complaints(world, 'No space left')
  return {
    subject: 'postgres',
    losesAnswers: false,
    begin: async () => {
      complained.start()
      await world.disk?.fill()
    },
    end: async () => world.disk?.empty(),
    bites: () => complained.count(),
  }
}

import type { Fault, MakeFault } from './catalogue.js'
import type { Place, World } from './world.js'

/** What can happen to a process of the service. */
export const processFaults = {
  'process killed': (world, { choice, lastsMs }) => killed(placeOf(world, choice), lastsMs),
  'process paused': (world, { choice }) => paused(placeOf(world, choice)),
  'clock set forward': (world, { choice }) => clockSet(placeOf(world, choice), 10 * minuteMs),
  'clock set back': (world, { choice }) => clockSet(placeOf(world, choice), -10 * minuteMs),
} satisfies Record<string, MakeFault>

const minuteMs = 60_000

function placeOf({ places }: World, choice: number): Place {
  const place = places[Math.floor(choice * places.length)]
  if (place === undefined) throw new Error('no process')
  return place
}

function killed({ service }: Place, awayMs: number): Fault {
  let before = 0
  let back: Promise<void> = Promise.resolve()
  return {
    subject: 'process',
    losesAnswers: true,
    begin: async () => {
      before = service.starts
      back = service.kill(awayMs)
    },
    end: async () => {
      await back
      await service.up()
    },
    bites: () => service.starts - before,
  }
}

function paused({ service }: Place): Fault {
  let seen = 0
  return {
    subject: 'process',
    losesAnswers: true,
    begin: async () => {
      service.signal('SIGSTOP')
      seen = 0
    },
    end: async () => {
      service.signal('SIGCONT')
    },
    bites: async () => {
      if (await service.isStopped()) seen += 1
      return seen
    },
  }
}

/** Stays so: nobody sets a clock twice. */
function clockSet({ service }: Place, byMs: number): Fault {
  let from = 0
  return {
    subject: 'process',
    losesAnswers: false,
    begin: async () => {
      from = service.lines.length
      await service.moveClock(byMs)
    },
    end: async () => undefined,
    bites: () => service.lines.slice(from).filter((line) => isOff(line, service.clockOffMs)).length,
  }
}

function isOff(line: string, offMs: number): boolean {
  const time = Date.parse(/"time":"([^"]+)"/.exec(line)?.[1] ?? '')
  return Math.abs(time - Date.now() - offMs) < minuteMs
}

import { median, spread } from '../support/figures.js'
import type { Section } from '../support/report.js'
import type { Stores } from '../support/stores.js'
import { bareAtOnce, type Run, race } from './race.js'
import type { Usage } from './service.js'
import type { Settings } from './settings.js'

/** (a) and (b): many tenants with a little each, one process, beside loops that do nothing but post. */
export async function manyTenants(stores: Stores, settings: Settings): Promise<Section[]> {
  const runs: Run[] = []
  for (let round = 0; round < settings.rounds; round += 1) runs.push(await race(stores, settings, round))
  return [speed(settings, runs), trips(settings, runs)]
}

function speed(settings: Settings, runs: readonly Run[]): Section {
  const count = settings.tenants * settings.perTenant
  const rates = runs.map(({ service, bare }) => service.callsPerSecond / bare.callsPerSecond)
  const cpu = runs.map(({ service, bare }) => service.usage.cpuMs / count / bare.cpuMsPerCall)
  const warmRates = runs.map(({ service, bare }) => service.again.callsPerSecond / bare.callsPerSecond)
  const warmCpu = runs.map(({ service, bare }) => service.again.usage.cpuMs / count / bare.cpuMsPerCall)
  const worst = (index: number) => Math.max(...runs.map(({ service }) => service.worst[index] ?? 0))
  const extra = Math.max(...runs.map(({ service }) => service.extraCalls))
  const of = (figure: (run: Run) => number, digits: number) => spread(runs.map(figure), digits)
  return {
    title: `(a) ${settings.tenants} tenants with ${settings.perTenant} each, one process, at a counting server`,
    head: ['', 'the service', 'a bare loop on undici', 'ratio', 'a loop through the SDK', 'ratio'],
    rows: [
      [
        'calls per second',
        of(({ service }) => service.callsPerSecond, 0),
        of(({ bare }) => bare.callsPerSecond, 0),
        spread(rates, 2),
        of(({ sdk }) => sdk.callsPerSecond, 0),
        of(({ service, sdk }) => service.callsPerSecond / sdk.callsPerSecond, 2),
      ],
      [
        'CPU per call, ms',
        of(({ service }) => service.usage.cpuMs / count, 3),
        of(({ bare }) => bare.cpuMsPerCall, 3),
        spread(cpu, 2),
        of(({ sdk }) => sdk.cpuMsPerCall, 3),
        of(({ service, sdk }) => service.usage.cpuMs / count / sdk.cpuMsPerCall, 2),
      ],
      [
        'calls per second, as many once more',
        of(({ service }) => service.again.callsPerSecond, 0),
        '',
        spread(warmRates, 2),
        '',
        of(({ service, sdk }) => service.again.callsPerSecond / sdk.callsPerSecond, 2),
      ],
      [
        'CPU per call then, ms',
        of(({ service }) => service.again.usage.cpuMs / count, 3),
        '',
        spread(warmCpu, 2),
        '',
        of(({ service, sdk }) => service.again.usage.cpuMs / count / sdk.cpuMsPerCall, 2),
      ],
      [
        'CPU of PostgreSQL per call then, ms',
        of(({ service }) => service.again.postgresCpuMs / count, 3),
        '',
        '',
        '',
        '',
      ],
      ['resident memory, MiB', of(({ service }) => service.usage.rssMb, 0), '', '', '', ''],
    ],
    aims: [
      { what: 'at least 0.6 of the bare rate', figure: spread(rates, 2), met: median(rates) >= 0.6 },
      ...[settings.short, settings.long].map(({ limit, windowMs }, index) => ({
        what: `no tenant above ${limit} in any ${windowMs / 1000} s`,
        figure: String(worst(index)),
        met: worst(index) <= limit,
      })),
      { what: 'each delivery called once', figure: `${extra} calls too many`, met: extra === 0 },
    ],
    gates: [
      { what: 'many tenants: rate of a warm service to that of a bare loop', ratio: median(warmRates), least: 0.03 },
      { what: 'many tenants: CPU per call of a warm service to that of a bare loop', ratio: median(warmCpu), most: 20 },
      ...[settings.short, settings.long].map(({ limit, windowMs }, index) => ({
        what: `many tenants: the fullest ${windowMs / 1000} s against its limit`,
        ratio: worst(index) / limit,
        most: 1,
      })),
      { what: 'many tenants: calls against deliveries', ratio: 1 + extra / count, least: 1, most: 1 },
    ],
    notes: [
      `All post the same bodies to the same counting server, since the sandbox itself would be the bottleneck, and take turns: each round begins with another one. The bare loop keeps ${bareAtOnce} calls under way with undici, the client below the service's transport, each on a connection of its own, and does nothing else. The loop through the SDK is the same with Feishu's SDK on the service's own transport: no rows, slots, seals, logs or metrics. Each loop makes ${settings.tenants * settings.loopPerTenant} calls, after ${settings.warmUpCalls} that are thrown away: it is compiled and connected when the clock starts, and so is its server. The service claims rows, takes slots, opens the sealed body, calls through Feishu's SDK, logs each attempt to a file, and settles. PostgreSQL and Redis share the machine with it; the loops share it with the server alone. Nothing of the service is thrown away: the first time it fetches a token for each tenant and fills the limiter from rows, with code that is not compiled yet; the second time is the same process with all of that behind it. The loop through the SDK reaches ${of(({ sdk, bare }) => sdk.callsPerSecond / bare.callsPerSecond, 2)} of the bare rate, with ${of(({ sdk, bare }) => sdk.cpuMsPerCall / bare.cpuMsPerCall, 2)} of its CPU per call.`,
    ],
  }
}

function trips(settings: Settings, runs: readonly Run[]): Section {
  const count = settings.tenants * settings.perTenant
  const first = (name: keyof Usage) => runs.map(({ service }) => service.usage[name] / count)
  const again = (name: keyof Usage) => runs.map(({ service }) => service.again.usage[name] / count)
  const row = (what: string, name: keyof Usage) => [what, spread(first(name), 3), spread(again(name), 3)]
  const aim = (what: string, name: keyof Usage) => ({
    what: `below 0.2 ${what} once tokens are known`,
    figure: spread(again(name), 3),
    met: median(again(name)) < 0.2,
  })
  return {
    title: '(b) Round trips per delivery under load, of the runs of (a)',
    head: ['per delivery', 'the first time', 'as many once more'],
    rows: [
      row('SQL statements, BEGIN and COMMIT included', 'statements'),
      row('Redis commands for slots', 'slotCommands'),
      row('turns in which any of these was sent', 'slotTurns'),
      row('Redis commands of the queue that carries hints', 'hintCommands'),
    ],
    aims: [aim('SQL statements', 'statements'), aim('Redis round trips', 'slotCommands')],
    notes: [
      `Counted in the process of the service, at the drivers of PostgreSQL and Redis. The first time each tenant's token is asked for and its slots are filled from rows, some six statements for ${settings.perTenant} deliveries.`,
    ],
    gates: [{ what: 'SQL statements per delivery', ratio: median(again('statements')), most: 0.4 }],
  }
}

import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { runCli } from '../../src/cli/program.js'
import { run } from './support.js'

/** In this process, for what does not depend on being one. */
async function say(...args: string[]) {
  const said = { out: '', err: '' }
  const io = {
    out: (text: string) => {
      said.out += text
    },
    err: (text: string) => {
      said.err += text
    },
  }
  return { code: await runCli(args, io), ...said }
}

it('prints the version of the package', async () => {
  const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string }
  expect(await run(['--version'])).toEqual({ code: 0, out: `${version}\n`, err: '' })
})

it('lists the commands and the exit codes', async () => {
  const { code, out, err } = await say('--help')
  expect([code, err]).toEqual([0, ''])
  for (const text of ['serve', 'migrate', 'import', 'sandbox', 'Exit codes', '64', '78']) expect(out).toContain(text)
})

it.each([
  [['nonsense'], "unknown command 'nonsense'"],
  [['serve', '--bogus'], "unknown option '--bogus'"],
  [['serve', 'more'], 'too many arguments'],
  [['sandbox', '--feishu-port', '70000'], 'Expected a port from 0 to 65535'],
  [['sandbox', '--pace', 'fast'], 'Expected milliseconds or by_hand'],
  [['sandbox', '--service-url', 'nowhere'], 'Expected a URL'],
  [['sandbox', '--app-type', 'other'], 'Allowed choices are custom, store'],
  [['import'], 'Usage: bgc import'],
  [['import', 'orders'], "missing required argument 'file'"],
  [['import', 'orders', 'f', '--bogus'], "unknown option '--bogus'"],
  [[], 'Usage: bgc'],
])('ends with 64 and says why for %j', async (args, complaint) => {
  const { code, out, err } = await say(...args)
  expect([code, out]).toEqual([64, ''])
  expect(err).toContain(complaint)
})

it('ends with 64 as a process, too', async () => {
  expect((await run(['nonsense'])).code).toBe(64)
})

import { expect, it } from 'vitest'
import { run, start } from './support.js'

const freePorts = ['--feishu-port', '0', '--vendor-port', '0']

it('runs a Feishu and a vendor until it is told to stop', async () => {
  const sandbox = start(['sandbox', ...freePorts, '--app-type', 'store', '--pace', 'by_hand'])
  await sandbox.untilOut('list what can be asked of them')
  sandbox.child.kill('SIGINT')
  const { code, out, err } = await sandbox.ended
  expect([code, err]).toEqual([0, ''])
  expect(out).toContain('export FEISHU_APP_TYPE=store\n')
  expect(out).toMatch(/^export VENDOR_BASE_URL=http:\/\/127\.0\.0\.1:\d+$/m)
})

it('says which port is taken', async () => {
  const first = start(['sandbox', ...freePorts])
  const said = await first.untilOut('list what can be asked of them')
  const { port } = new URL(/Sandbox Feishu on (\S+),/.exec(said)?.[1] ?? '')
  const { code, err } = await run(['sandbox', '--feishu-port', port, '--vendor-port', '0'])
  expect([code, err]).toEqual([1, `port ${port} on 127.0.0.1 is taken; choose another\n`])
  first.child.kill('SIGTERM')
  expect((await first.ended).code).toBe(0)
})

import { connect } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { startHttp } from '../../src/sandbox/support/http.js'
import { eventually, placeOrder, startFeishu, stopAll, stopLater } from './support.js'

afterEach(stopAll)

test('answers 500 with the reason when the sandbox itself fails, before the body is read or after', async () => {
  const server = await stopLater(
    startHttp(
      async (incoming) => {
        if (incoming.path === '/after') await incoming.body()
        throw new Error(`broken at ${incoming.path}`)
      },
      { host: '127.0.0.1', port: 0 },
    ),
  )
  for (const path of ['/before', '/after']) {
    const answer = await fetch(server.url + path, { method: 'POST', body: 'x' })
    expect([answer.status, await answer.text()]).toEqual([500, expect.stringContaining(`broken at ${path}`)])
  }
})

test('notes a call whose body was cut off, and goes on', async () => {
  const feishu = await startFeishu()
  const socket = connect(feishu.port, '127.0.0.1')
  const path = '/open-apis/hire/v1/eco_background_checks/cancel'
  socket.write(`POST ${path} HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{"backgr`)
  await eventually(() => feishu.calls().length).toBe(1)
  socket.destroy()
  const [call] = await feishu.untilCalls({ api: 'cancel' })
  expect(call).toMatchObject({ applied: false, answered: false })
  expect(placeOrder(feishu)).toMatch(/^\d{19}$/)
})

test('stops while calls hang, and stops twice', async () => {
  const feishu = await startFeishu()
  feishu.addFault({ action: { kind: 'hang' } })
  const path = '/open-apis/auth/v3/tenant_access_token/internal'
  const hanging = fetch(feishu.url + path, { method: 'POST', body: '{}' })
  const broken = expect(hanging).rejects.toThrow()
  await feishu.untilCalls({})
  await feishu.stop()
  await broken
  await feishu.stop()
})

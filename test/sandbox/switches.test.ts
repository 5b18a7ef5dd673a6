import { afterEach, describe, expect, test } from 'vitest'
import { defaultSwitches, type Switches, switchNames, switchSettings, switchVariants } from '../../src/sandbox/index.js'
import {
  cancelPath,
  clientOf,
  customApp,
  type Json,
  placeOrder,
  progressPath,
  resultBody,
  resultPath,
  send,
  stageBody,
  startFeishu,
  startReceiver,
  stopAll,
} from './support.js'

afterEach(stopAll)

test('lists every switch with at least two values, the default first', () => {
  expect(switchNames.length).toBe(17)
  for (const name of switchNames) {
    expect(switchVariants[name].length, name).toBeGreaterThan(1)
    expect(defaultSwitches()[name]).toBe(switchVariants[name][0])
  }
  expect(switchSettings).toHaveLength(switchNames.reduce((sum, name) => sum + switchVariants[name].length, 0))
})

test.each(switchSettings)('starts with %j', async (setting) => {
  const feishu = await startFeishu({ switches: setting })
  expect(feishu.switches()).toMatchObject(setting)
})

test('refuses a switch or a value that does not exist', async () => {
  const feishu = await startFeishu()
  const set = (changes: Json) => () => feishu.setSwitches(changes as Partial<Switches>)
  expect(set({ duplicateStages: 'x' })).toThrow(/no such switch: duplicateStages/)
  expect(set({ rateLimitStatus: 418 })).toThrow(/may be 429, 400; it came as 418/)
  expect(feishu.switches()).toEqual(defaultSwitches())
})

describe('a stage that came before', () => {
  test.each<[Switches['duplicateStage'], number, number]>([
    ['refuse_1002001_400', 400, 1002001],
    ['refuse_1002002_400', 400, 1002002],
    ['refuse_1002858', 400, 1002858],
    ['accept_silently', 200, 0],
  ])('%s', async (duplicateStage, status, code) => {
    const feishu = await startFeishu({ switches: { duplicateStage } })
    const client = await clientOf(feishu)
    const id = placeOrder(feishu)
    await client('POST', progressPath, stageBody(id, 1))
    expect(await client('POST', progressPath, stageBody(id, 1))).toMatchObject({ status, code })
    expect(feishu.order(id).stages).toHaveLength(1)
    expect(feishu.calls({ api: 'update_progress' }).map(({ applied }) => applied)).toEqual([true, false])
  })
})

describe('a stage that is too early', () => {
  test.each<[Switches['staleStageTime'], number, number]>([
    ['refuse_1002001_400', 1002001, 1],
    ['refuse_1002002_400', 1002002, 1],
    ['refuse_1002858', 1002858, 1],
    ['accept', 0, 2],
  ])('%s', async (staleStageTime, code, stages) => {
    const feishu = await startFeishu({ switches: { staleStageTime } })
    const client = await clientOf(feishu)
    const id = placeOrder(feishu)
    await client('POST', progressPath, stageBody(id, 2))
    expect((await client('POST', progressPath, stageBody(id, 1))).code).toBe(code)
    expect(feishu.order(id).stages).toHaveLength(stages)
  })
})

test('reads of orders are off: missing scope', async () => {
  const feishu = await startFeishu({ switches: { orderReads: false } })
  const answer = await (await clientOf(feishu))('GET', 'background_check_orders')
  expect(answer).toMatchObject({ status: 403, code: 99991672 })
})

test('an own cancel comes back as an event, or not', async () => {
  const feishu = await startFeishu()
  const receiver = await startReceiver(customApp)
  const client = await clientOf(feishu)
  const ids = [placeOrder(feishu), placeOrder(feishu)]
  feishu.setEventUrl(customApp.appId, receiver.url)
  await client('POST', cancelPath, { background_check_id: ids[0] })
  feishu.setSwitches({ cancelEcho: true })
  await client('POST', cancelPath, { background_check_id: ids[1] })
  await expect
    .poll(() => receiver.received.map(({ content }) => (content.event as Json).background_check_id))
    .toEqual([ids[1]])
})

test('a cancel of a closed order is accepted, and changes nothing', async () => {
  const feishu = await startFeishu({ switches: { cancelOnClosed: 'ok' } })
  const client = await clientOf(feishu)
  const id = placeOrder(feishu)
  await client('POST', resultPath, resultBody(id))
  expect((await client('POST', cancelPath, { background_check_id: id })).code).toBe(0)
  expect(feishu.order(id).status).toBe('completed')
})

test('refusals come with HTTP 200, those of HTTP 500 do not', async () => {
  const feishu = await startFeishu({ switches: { businessErrorHttp: 200, reportApproval: true } })
  const client = await clientOf(feishu)
  const id = placeOrder(feishu)
  expect(await client('POST', progressPath, {})).toMatchObject({ status: 200, code: 99992402 })
  expect(await client('POST', progressPath, stageBody('7400000000000009999', 1))).toMatchObject({
    status: 200,
    code: 1002862,
  })
  await client('POST', resultPath, resultBody(id))
  expect(await client('POST', resultPath, resultBody(id))).toMatchObject({ status: 500, code: 1002863 })
})

test.each([400, 401, 200] as const)('token errors come with HTTP %d', async (tokenErrorHttp) => {
  const feishu = await startFeishu({ switches: { tokenErrorHttp } })
  const client = await clientOf(feishu, 't-none')
  expect(await client('GET', 'background_check_orders')).toMatchObject({ status: tokenErrorHttp, code: 99991663 })
  const path = '/open-apis/auth/v3/tenant_access_token/internal'
  const wrong = { app_id: customApp.appId, app_secret: 'wrong' }
  expect(await send(feishu.url + path, 'POST', wrong)).toMatchObject({ status: tokenErrorHttp, code: 10015 })
})

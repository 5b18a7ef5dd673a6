import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Api, type Reply, secrets, sorted, startOperators, whileLocked } from './harness.js'
import * as rows from './rows.js'

let api: Api
beforeEach(async () => {
  api = await startOperators()
})
afterEach(() => api.stop())

const post = (path: string, body?: object, secret = secrets.operate) =>
  api.call('POST', `/v1/orders/${path}`, {
    secret,
    ...(body && { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
  })
const typeOf = ({ status, body }: Reply) => [status, body['type']]
const problem = (name: string, status = 409) => [status, `/docs/problems#${name}`]
const query = async (sql: string) => (await api.parts.database.pool.query(sql)).rows
const tasks = () => query('SELECT subject, action, claimed FROM vendor_tasks ORDER BY subject')
const deliveries = () => query('SELECT api, state, stage_id FROM deliveries ORDER BY seq')
const kinds = async () => (await query('SELECT kind FROM timeline ORDER BY id')).map((row) => row.kind)

/** An order with a stage that Feishu has, and with its result as well if wanted. */
async function addSent(id: string, withResult = false): Promise<void> {
  await rows.addPolledOrder(api, id, `V-${id}`)
  await query(`DELETE FROM vendor_tasks WHERE subject = 'order:${id}'`)
  const result = {
    api: 'update_result',
    body: { background_check_id: id, result: 'canary', result_time: '1' },
  } as const
  for (const each of await rows.addDeliveries(api, id, [rows.stage(id, 'st-1'), ...(withResult ? [result] : [])])) {
    await rows.setDelivery(api, each, { state: 'delivered', due_at: null, last_call_at: new Date() })
  }
  if (withResult) await rows.setOrder(api, id, { state: 'completed' })
}

describe('cancel', () => {
  it('lays a last stage and the cancel behind, has the vendor told, and ends the polls', async () => {
    await addSent('101')
    const [waiting] = (await rows.addDeliveries(api, '101', [rows.stage('101', 'st-2')])).slice(-1)
    const { status, body } = await post('101/cancel', { stage_name: ' 候选人撤回 ', reason: 'canary\nreason' })
    expect([status, body['state'], body['next_poll_at']]).toEqual([202, 'ordered', null])
    expect(await deliveries()).toEqual([
      { api: 'update_progress', state: 'delivered', stage_id: 'st-1' },
      { api: 'update_progress', state: 'superseded', stage_id: 'st-2' },
      { api: 'update_progress', state: 'pending', stage_id: 'terminated' },
      { api: 'cancel', state: 'pending', stage_id: null },
    ])
    expect(await tasks()).toEqual([{ subject: 'order:101', action: 'cancel', claimed: false }])
    expect(api.hints).toEqual([
      ['vendor', ''],
      ['pump', expect.any(String)],
    ])
    const whole = await api.call('GET', '/v1/orders/101?', { secret: secrets.read })
    expect(whole.body['timeline']).toMatchObject([
      { kind: 'received' },
      { kind: 'superseded', detail: { delivery_id: waiting } },
      { kind: 'canceled_by_operator', detail: { to_vendor: true } },
    ])
    const dump = JSON.stringify(await query('SELECT * FROM vendor_tasks')) + JSON.stringify(whole.body) + api.log.join()
    expect(dump).not.toMatch(/canary|候选人/)
  })

  it('takes no body as well, and gives the last stage our own words', async () => {
    await addSent('101')
    expect((await post('101/cancel')).status).toBe(202)
    const revealed = await api.call(
      'GET',
      `/v1/deliveries/${(await query('SELECT id FROM deliveries WHERE stage_id = $$terminated$$'))[0].id}?reveal=true`,
    )
    expect(revealed.body['request']).toMatchObject({ stage_name: '已终止', stage_en_name: 'Terminated' })
  })

  it('of an order whose placing never began takes the placing back, and tells the vendor nothing', async () => {
    await rows.addOrder(api, '101')
    expect((await post('101/cancel')).status).toBe(202)
    expect(await tasks()).toEqual([])
    expect((await deliveries()).map((each) => each.api)).toEqual(['update_progress', 'cancel'])
  })

  it('of an order that is being placed leaves the claim and turns what comes after it', async () => {
    await rows.addOrder(api, '101')
    await query(`UPDATE vendor_tasks SET claimed = true`)
    expect((await post('101/cancel')).status).toBe(202)
    expect(await tasks()).toEqual([{ subject: 'order:101', action: 'cancel', claimed: true }])
  })

  it('of a check that ended at the vendor tells the vendor nothing', async () => {
    await addSent('101')
    const result = {
      api: 'update_result',
      body: { background_check_id: '101', result: 'x', result_time: '1' },
    } as const
    await rows.addDeliveries(api, '101', [result])
    expect((await post('101/cancel')).status).toBe(202)
    expect(await tasks()).toEqual([])
    expect(await deliveries()).toMatchObject([
      { state: 'delivered' },
      { api: 'update_result', state: 'superseded' },
      { stage_id: 'terminated' },
      { api: 'cancel' },
    ])
  })

  it('changes nothing while another is on its way, by whomever and however many at once', async () => {
    await addSent('101')
    const lock = `SELECT 1 FROM lanes WHERE lane = 'order:101' FOR UPDATE`
    const replies = await whileLocked(api, lock, 3, () => Promise.all([1, 2, 3].map(() => post('101/cancel'))))
    expect(replies.map((reply) => reply.status)).toEqual([202, 202, 202])
    expect(await deliveries()).toHaveLength(3)
    expect((await kinds()).filter((kind) => kind === 'canceled_by_operator')).toHaveLength(1)
    expect(await tasks()).toHaveLength(1)
  })

  it('goes once more after one that is dead, with a last stage of another id', async () => {
    await addSent('101')
    await post('101/cancel')
    await query(`UPDATE deliveries SET state = 'dead', due_at = NULL WHERE state = 'pending'`)
    expect((await post('101/cancel')).status).toBe(202)
    expect((await deliveries()).slice(3)).toMatchObject([{ stage_id: 'terminated-2' }, { api: 'cancel' }])
  })

  it.each(['completed', 'canceled'])('of an order that is %s is 409', async (state) => {
    await addSent('101')
    await rows.setOrder(api, '101', { state })
    expect(typeOf(await post('101/cancel'))).toEqual(problem('order-ended'))
    expect(await deliveries()).toHaveLength(1)
  })

  it('of an order that was erased is 409, of one that nobody knows 404, and leaves no lane', async () => {
    await addSent('101')
    await rows.setOrder(api, '101', { data_key: null, payload_sealed: null })
    expect(typeOf(await post('101/cancel'))).toEqual(problem('erased'))
    expect(typeOf(await post('999/cancel'))).toEqual(problem('not-found', 404))
    expect(await query(`SELECT 1 FROM lanes WHERE lane = 'order:999'`)).toEqual([])
  })

  it.each([
    ['an empty name', { stage_name: '  ' }, 'stage_name'],
    ['a name of 101 characters', { stage_name: '终'.repeat(101) }, 'stage_name'],
    ['a name with a line break', { stage_name: 'a\nb' }, 'stage_name'],
    ['a reason with NUL', { reason: 'a\0b' }, 'reason'],
    ['a reason of 1001 characters', { reason: 'x'.repeat(1001) }, 'reason'],
    ['what is no member', { because: 'canary' }, 'body'],
  ])('refuses %s, and says where', async (_what, body, path) => {
    await addSent('101')
    const reply = await post('101/cancel', body)
    expect(typeOf(reply)).toEqual(problem('invalid-request', 400))
    expect(reply.body['errors']).toMatchObject([{ path }])
    expect(await deliveries()).toHaveLength(1)
  })

  it.each(['101/cancel', '101/result/resend', '101/stages/st-1/resend'])('%s needs the scope operate', async (path) => {
    await addSent('101', true)
    expect(typeOf(await post(path, undefined, secrets.read))).toEqual(problem('forbidden', 403))
  })
})

describe('resend', () => {
  it('of a result leaves one task for the vendor to say it again, and refuses another one meanwhile', async () => {
    await addSent('101', true)
    const lock = `SELECT 1 FROM lanes WHERE lane = 'order:101' FOR UPDATE`
    const replies = await whileLocked(api, lock, 2, () => Promise.all([1, 2].map(() => post('101/result/resend'))))
    expect(sorted(replies.map((reply) => reply.status))).toEqual(['202', '409'])
    expect(await tasks()).toEqual([{ subject: 'resend:101', action: 'resend', claimed: false }])
    expect((await kinds()).at(-1)).toBe('resend_wanted')
    expect(api.hints).toEqual([['vendor', '']])
  })

  it('of a stage goes by the stage that it stands for, each of them once', async () => {
    await addSent('101')
    await rows.addDeliveries(api, '101', [rows.stage('101', 'st-1-2')])
    await query(`UPDATE deliveries SET state = 'delivered', due_at = NULL`)
    await query(`INSERT INTO timeline (background_check_id, kind, detail)
      VALUES ('101', 'resent', '{"stage_id":"st-1-2","resends":"st-1"}')`)
    expect((await post('101/stages/st-1-2/resend')).status).toBe(202)
    expect(await tasks()).toMatchObject([{ subject: 'resend:101/st-1' }])
    expect(typeOf(await post('101/stages/st-1/resend'))).toEqual(problem('not-resendable'))
  })

  it('is 409 for what was not sent yet or is being sent', async () => {
    await addSent('101')
    expect(typeOf(await post('101/result/resend'))).toEqual(problem('not-resendable'))
    await rows.addDeliveries(api, '101', [rows.stage('101', 'st-2')])
    expect(typeOf(await post('101/stages/st-2/resend'))).toEqual(problem('not-resendable'))
    await query(`UPDATE deliveries SET state = 'sending' WHERE stage_id = 'st-2'`)
    expect(typeOf(await post('101/stages/st-2/resend'))).toEqual(problem('not-resendable'))
    expect(await tasks()).toEqual([])
  })

  it('of a stage is 409 once the result is out', async () => {
    await addSent('101', true)
    expect(typeOf(await post('101/stages/st-1/resend'))).toEqual(problem('not-resendable'))
    await rows.setOrder(api, '101', { state: 'reported' })
    expect(typeOf(await post('101/stages/st-1/resend'))).toEqual(problem('not-resendable'))
  })

  it('is 409 while the order is being stopped, and after', async () => {
    await addSent('101')
    await addSent('102', true)
    await post('101/cancel')
    expect(typeOf(await post('101/stages/st-1/resend'))).toEqual(problem('not-resendable'))
    await rows.setOrder(api, '102', { state: 'canceled' })
    expect(typeOf(await post('102/result/resend'))).toEqual(problem('order-ended'))
  })

  it('is 409 for what was erased, 404 for an order or stage that nobody knows', async () => {
    await addSent('101', true)
    expect(typeOf(await post('101/stages/st-9/resend'))).toEqual(problem('not-found', 404))
    expect(typeOf(await post('101/stages/not%20one/resend'))).toEqual(problem('not-found', 404))
    expect(typeOf(await post('999/result/resend'))).toEqual(problem('not-found', 404))
    await rows.setOrder(api, '101', { data_key: null, payload_sealed: null })
    expect(typeOf(await post('101/result/resend'))).toEqual(problem('erased'))
  })

  it('of a dead result is possible, and the result of an order that was stopped cannot be revived', async () => {
    await addSent('101', true)
    const [, result] = (await query('SELECT id FROM deliveries ORDER BY seq')).map((row) => row.id)
    await rows.setOrder(api, '101', { state: 'reported' })
    await rows.setDelivery(api, result, { state: 'dead', dead_class: 'ours' })
    expect((await post('101/result/resend')).status).toBe(202)
    await post('101/cancel')
    const revived = await api.call('POST', `/v1/deliveries/${result}/retry`)
    expect(typeOf(revived)).toEqual(problem('delivery-not-revivable'))
  })
})

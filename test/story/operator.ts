import { expect } from 'vitest'
import { until } from '../../src/sandbox/index.js'
import { type LivedOrder, orderChecks, type Scene } from './lives.js'
import { eventually, type Mode, startWorld, type World, type WorldOptions } from './world.js'

type Shown = Record<string, unknown>
type Reply = Awaited<ReturnType<Scene['api']>>

/** A check, and what an operator sees of it and does to it. */
export interface Checked {
  id: string
  vendorHasIt(): Promise<unknown>
  shown(): Promise<Shown>
  deliveries(): Promise<Shown[]>
  kinds(): Promise<unknown[]>
  /** Waits until the order is in a state. */
  is(state: string): Promise<void>
  /** Waits until Feishu has these stages. */
  hasStages(...ids: string[]): Promise<void>
  /** A stage in Feishu, so that the order is under way on both sides. */
  begin(): Promise<void>
  cancel(body?: object): Promise<Reply>
  resendResult(): Promise<Reply>
  resendStage(stageId: string): Promise<Reply>
  /** The calls to Feishu that took effect. */
  applied(): unknown[]
}

/** With Redis, operators reach a process that neither asks the vendor nor calls Feishu. */
export function startOperatedWorld(mode: Mode, env: WorldOptions['env'] = {}): Promise<World> {
  return startWorld({ mode, env, ...(mode === 'redis' && { processes: ['receiver', 'poller,sync', 'poller,sync'] }) })
}

export async function orderCheck(world: Scene): Promise<Checked> {
  const [made] = await orderChecks(world, ['plain'])
  return checked(world, made)
}

export function checked(world: Scene, made: LivedOrder | undefined): Checked {
  if (made === undefined) throw new Error('no order')
  const { id } = made
  const { api, feishu, vendor } = world
  const path = `/v1/orders/${id}`
  const shown = async () => (await api('GET', path)).body
  const listed = async (name: string) => (await shown())[name] as Shown[]
  const stages = () => feishu.order(id).stages.map((stage) => stage.stageId)
  const check: Checked = {
    id,
    vendorHasIt: () => until('the order at the vendor', () => vendor.orderCount(id) === 1),
    shown,
    deliveries: () => listed('deliveries'),
    kinds: async () => (await listed('timeline')).map((entry) => entry['kind']),
    is: (state) => eventually(async () => (await shown())['state']).toBe(state),
    hasStages: (...ids) => eventually(stages).toEqual(ids),
    begin: async () => {
      await check.vendorHasIt()
      vendor.addStage(id, { id: 'st-1', name: '身份核验' })
      await check.hasStages('st-1')
      await eventually(async () => (await check.deliveries()).map((each) => each['state'])).toEqual(['delivered'])
    },
    cancel: (body) => api('POST', `${path}/cancel`, body),
    resendResult: () => api('POST', `${path}/result/resend`),
    resendStage: (stageId) => api('POST', `${path}/stages/${stageId}/resend`),
    applied: () => feishu.calls({ backgroundCheckId: id, applied: true }).map((call) => call.api),
  }
  return check
}

export function expectRefused(reply: Reply, problem: string): void {
  expect([reply.status, reply.body['type']]).toEqual([409, `/docs/problems#${problem}`])
}

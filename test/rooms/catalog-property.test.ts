import fc from 'fast-check'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { StrictFeishu, settings, shown, someCatalog, sortedCatalog } from '../support/catalog.js'
import { type CatalogRoom, catalogRoom, type Fault, faults } from '../support/catalog-room.js'
import { type Ground, layGround } from '../support/room.js'

let ground: Ground
beforeAll(async () => {
  ground = await layGround()
})
afterAll(() => ground.stop())
beforeEach(() => ground.database.pool.query('TRUNCATE catalogs, deliveries, lanes'))

const someFault: fc.Arbitrary<Fault> = fc.oneof(fc.constant('none' as const), fc.constantFrom(...faults))
const someAct = fc.oneof(
  { weight: 2, arbitrary: fc.record({ act: fc.constant('want' as const), catalog: someCatalog }) },
  { weight: 1, arbitrary: fc.record({ act: fc.constant('offer' as const), catalog: someCatalog }) },
  { weight: 5, arbitrary: fc.record({ act: fc.constant('turn' as const), fault: someFault }) },
  { weight: 1, arbitrary: fc.constant({ act: 'revive' as const }) },
)

async function play(room: CatalogRoom, act: typeof someAct extends fc.Arbitrary<infer T> ? T : never): Promise<void> {
  if (act.act === 'want') await room.insist(act.catalog)
  if (act.act === 'offer') await room.offer(act.catalog)
  if (act.act === 'turn') await room.turn(act.fault)
  if (act.act !== 'revive') return
  const dead = (await room.rows()).find(({ state }) => state === 'dead')
  if (dead !== undefined) await room.revive(dead.id)
}

test.each(settings)(
  'after any catalogs, lost answers, refusals and crashes Feishu holds the last one: %j',
  async (switches) => {
    await fc.assert(
      fc.asyncProperty(fc.array(someAct, { maxLength: 12 }), someCatalog, async (acts, last) => {
        await ground.database.pool.query('TRUNCATE catalogs, deliveries, lanes')
        const room = await catalogRoom(ground, (id) => new StrictFeishu(switches, id))
        for (const act of acts) await play(room, act)
        let wanted = last
        for (let round = 0; round < 20; round += 1) {
          wanted = await room.insist(wanted)
          await room.untilIdle()
          if ((await room.row()).state === 'in_step') break
        }
        expect(await room.row()).toMatchObject({ state: 'in_step', failure: null })
        expect(shown(room.feishu.account)).toEqual(sortedCatalog(wanted))
        expect(room.feishu.reused).toEqual([])
        const before = room.feishu.calls.length
        expect(await room.want(wanted)).toMatchObject({ kind: 'wanted', plan: [], deliveryIds: [] })
        await room.untilIdle()
        expect(room.feishu.calls).toHaveLength(before)
      }),
      { numRuns: 25 },
    )
  },
  120_000,
)

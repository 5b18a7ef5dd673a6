import { beforeEach, describe, expect, it } from 'vitest'
import { runCli } from '../../src/cli/program.js'
import { countSealed } from '../../src/flow/rotation/count.js'
import { createSealer } from '../../src/platform/crypto/sealer.js'
import { openAround, sealAround, whatWasSealed } from '../support/sealed.js'
import { type CliGround, layCliGround, sealer } from './ground.js'
import { run, start } from './support.js'

let ground: CliGround
let keys: { old: string; both: string; fresh: string; turned: string }
const former = { id: 'k1', key: Buffer.alloc(32, 7) }
const fresh = { id: 'k2', key: Buffer.alloc(32, 8) }

beforeEach(async () => {
  ground = await layCliGround()
  const [old = '', young] = [ground.env['BGC_ENCRYPTION_KEYS'], `k2:${fresh.key.toString('base64')}`]
  keys = { old, fresh: young, both: `${young},${old}`, turned: `${old},${young}` }
})

const bgc = (BGC_ENCRYPTION_KEYS: string, ...args: string[]) =>
  run(['keys', ...args], { ...ground.env, BGC_ENCRYPTION_KEYS })

describe('bgc keys', () => {
  it('status says what lies under which key, and ends with 1 where a key is lacking', async () => {
    await sealAround(ground.database, sealer, '101')
    const { code, out, err } = await bgc(keys.both, 'status')
    expect([code, err]).toEqual([0, ''])
    expect(out).toMatch(/^first key: k2\norders\.data_key +k1 +1 {2}to rotate\n/)
    const lacking = await bgc(keys.fresh, 'status', '--json')
    expect([lacking.code, lacking.err]).toEqual([1, ''])
    const { first, counts, running } = JSON.parse(lacking.out)
    expect([first, running]).toEqual(['k2', []])
    expect(counts).toContainEqual({ place: 'orders.data_key', key_id: 'k1', values: 1, opens: false })
    expect(await bgc('', 'status')).toMatchObject({ code: 1, out: /^there is no key: values stay plain\n/ })
  })

  it('rotate brings everything under the first key, says which one may go, and leaves an entry in the audit', async () => {
    await sealAround(ground.database, sealer, '101')
    const { code, out, err } = await bgc(keys.both, 'rotate')
    expect([code, err]).toEqual([0, ''])
    expect(out).toMatch(
      /^done: 8 values rotated, and everything lies under k2; k1 may leave BGC_ENCRYPTION_KEYS from \S+Z on, when no Idempotency-Key needs it, with a restart\n$/,
    )
    expect(
      await openAround(ground.database, createSealer([fresh]), '101', createSealer([fresh, former])),
    ).toMatchObject(whatWasSealed('101'))
    expect(await bgc(keys.fresh, 'status')).toMatchObject({ code: 0 })
    const audit = await ground.rows('SELECT via, action, subject, outcome, after FROM audit')
    const after = { outcome: 'done', rotated: { 'orders.data_key': 1 }, remaining: [], free: ['k1'] }
    expect(audit).toMatchObject([{ via: 'cli', action: 'keys.rotate', subject: 'key:k2', outcome: 'done', after }])
  })

  it('rotate touches nothing where the service does not have the new key, and says what to do first', async () => {
    await sealAround(ground.database, sealer, '101')
    const service = start(['serve'], { ...ground.env, BGC_ENCRYPTION_KEYS: keys.old })
    await service.untilOut('"app.started"')
    const { code, out } = await bgc(keys.both, 'rotate')
    expect([code, out]).toEqual([
      1,
      expect.stringMatching(
        /^nothing was rotated:\na process .* does not have the key k2\nEvery running process has to/,
      ),
    ])
    expect(new Set((await countSealed(ground.database)).map(({ keyId }) => keyId))).toEqual(new Set(['k1']))
    service.child.kill('SIGTERM')
    await service.ended
  })

  it('rotate ends with 1 and keeps every key while the service seals with another', async () => {
    const service = start(['serve'], { ...ground.env, BGC_ENCRYPTION_KEYS: keys.turned })
    await service.untilOut('"app.started"')
    const { code, out } = await bgc(keys.both, 'rotate')
    expect(code).toBe(1)
    expect(out).toMatch(
      /^not done: 0 values rotated; keep every key, and run it again\na process .* seals with another key than k2: restart it\n/,
    )
    service.child.kill('SIGTERM')
    await service.ended
  })

  it('rotate, killed in the middle, is finished by the next', async () => {
    for (let n = 0; n < 40; n += 1) await sealAround(ground.database, sealer, String(201 + n))
    const of = (id: string) => async () =>
      (await countSealed(ground.database)).filter(({ place, keyId }) => place === 'orders.data_key' && keyId === id)
    await ground.database.transaction(async (sql) => {
      // Against the one that a rotation takes at its end, so that it cannot be faster than the kill.
      await sql.query('LOCK TABLE encryption_keys IN ROW EXCLUSIVE MODE')
      const command = start(['keys', 'rotate', '--batch', '1'], { ...ground.env, BGC_ENCRYPTION_KEYS: keys.both })
      await expect.poll(of('k2'), { timeout: 20_000, interval: 1 }).not.toEqual([])
      command.child.kill('SIGKILL')
      expect((await command.ended).code).toBe(null)
    })
    expect((await bgc(keys.both, 'rotate', '--json')).code).toBe(0)
    expect(await of('k1')()).toEqual([])
  })

  it('rotate refuses without a key, and a batch that is none', async () => {
    expect(await bgc('', 'rotate')).toMatchObject({
      code: 1,
      err: 'BGC_ENCRYPTION_KEYS names no key to rotate to\n',
    })
    expect((await bgc(keys.both, 'rotate', '--batch', '0')).code).toBe(64)
  })

  it('the service does not start without a key that values lie under', async () => {
    const service = start(['serve'], { ...ground.env, BGC_ENCRYPTION_KEYS: keys.old })
    await service.untilOut('"app.started"')
    service.child.kill('SIGTERM')
    await service.ended
    const { code, err } = await run(['serve'], { ...ground.env, BGC_ENCRYPTION_KEYS: keys.fresh })
    expect(code).toBe(1)
    expect(err).toBe(
      'bgc-bridge cannot start: the encryption keys do not fit this database, as docs/keys.md explains (BGC_ENCRYPTION_KEYS lacks the key "k1" that a value was sealed with)\n',
    )
  })

  it('shows a bar to whoever looks at a terminal', async () => {
    await sealAround(ground.database, sealer, '101')
    const said: string[] = []
    const outside = { ...process.env }
    Object.assign(process.env, ground.env, { BGC_ENCRYPTION_KEYS: keys.both })
    const io = { out: () => undefined, err: (text: string) => void said.push(text), isTerminal: true }
    const code = await runCli(['keys', 'rotate'], io).finally(() => {
      for (const name of Object.keys(ground.env)) delete process.env[name]
      Object.assign(process.env, outside)
    })
    expect(code).toBe(0)
    expect(said[0]).toMatch(/^\r\[#+\.+\] 1 of 8 values$/)
    expect(said.at(-1)).toBe('\r\x1b[K')
  })
})

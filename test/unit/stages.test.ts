import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { contentOf, progressOf, resultOf, stageIdOf } from '../../src/flow/orders/stages.js'
import { at, report, stage } from '../support/vendor-words.js'

const id = '7400000000000000202'
const notesOf = (shaped: { notes: Array<{ kind: string }> }) => shaped.notes.map((note) => note.kind)

describe('stage ids', () => {
  test.each(['a', 'st-1', 'A_b-9', 'x'.repeat(36)])('%s is taken as it is', (vendorId) => {
    expect(stageIdOf(vendorId)).toBe(vendorId)
  })

  test.each(['', 'x'.repeat(37), 'a b', '核验', 'a/b', 'a\n', 'é'])('%j becomes a hash', (vendorId) => {
    expect(stageIdOf(vendorId)).toMatch(/^[0-9a-f]{32}$/)
    expect(stageIdOf(vendorId)).toBe(stageIdOf(vendorId))
  })

  test('are what Feishu takes, the same each time, and different for different stages', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), (one, other) => {
        expect(stageIdOf(one)).toMatch(/^[A-Za-z0-9_-]{1,36}$/)
        expect(stageIdOf(one) === stageIdOf(other)).toBe(one === other)
      }),
    )
  })

  test('keep their hash from release to release', () => {
    expect(stageIdOf('核验 1')).toBe('bb658638272dd3fc4749203708bb7019')
  })
})

describe('bodies', () => {
  test('of a stage carry what the contract names', () => {
    const shaped = progressOf(
      id,
      stage('st-1', { name: '学历', enName: 'Education', result: '绿灯', reports: [report('r.pdf', 'https://x')] }),
      at(1),
    )
    expect(shaped).toEqual({
      body: {
        background_check_id: id,
        stage_id: 'st-1',
        stage_name: '学历',
        stage_en_name: 'Education',
        stage_time: String(at(1)),
        result: '绿灯',
        report_file_list: [{ report_name: 'r.pdf', report_url: 'https://x', report_url_type: 1 }],
      },
      notes: [],
    })
  })

  test('have no stage result that no report backs, and say so', () => {
    const shaped = progressOf(id, stage('a', { result: 'ok' }), at(1))
    expect(shaped.body).not.toHaveProperty('result')
    expect(notesOf(shaped)).toEqual(['result_left_out'])
    const longUrl = progressOf(id, stage('a', { result: 'ok', reports: [report('x', 'u'.repeat(2049))] }), at(1))
    expect(longUrl.body).not.toHaveProperty('result')
    expect(notesOf(longUrl)).toEqual(['report_left_out', 'result_left_out'])
  })

  test('have a final result without reports', () => {
    const shaped = resultOf(id, { result: 'clear', time: at(1), reports: [] }, at(1))
    expect(shaped).toEqual({
      body: { background_check_id: id, result: 'clear', result_time: String(at(1)) },
      notes: [],
    })
  })

  test('are cut at a hundred characters, at twenty reports and by links of 2048, and say so without the text', () => {
    const long = '😀'.repeat(101)
    const reports = Array.from({ length: 21 }, (_, index) => report(`${index}`))
    const shaped = progressOf(id, stage('a', { name: long, enName: long, result: long, reports }), at(1))
    expect([...shaped.body.stage_name]).toHaveLength(100)
    expect([...(shaped.body.stage_en_name ?? '')]).toHaveLength(100)
    expect([...(shaped.body.result ?? '')]).toHaveLength(100)
    expect(shaped.body.report_file_list).toHaveLength(20)
    expect(JSON.stringify(shaped.notes)).not.toContain('😀')
    expect(notesOf(shaped).toSorted()).toEqual([
      'report_left_out',
      'value_shortened',
      'value_shortened',
      'value_shortened',
    ])
    const fits = progressOf(id, stage('a', { name: '😀'.repeat(100), reports: [report('x', 'u'.repeat(2048))] }), at(1))
    expect(fits.notes).toEqual([])
  })
})

test('the content of a body is all of it but times and links', () => {
  const body = (more: object) =>
    progressOf(id, stage('a', { result: 'ok', reports: [report('x')], ...more }), at(1)).body
  const same = contentOf(body({}))
  expect(contentOf(body({ reports: [report('x', 'https://other')] }))).toBe(same)
  expect(contentOf({ ...body({}), stage_time: '1' })).toBe(same)
  for (const more of [
    { name: 'n' },
    { enName: 'e' },
    { result: 'r' },
    { reports: [report('y')] },
    { reports: [report('x'), report('x')] },
  ])
    expect(contentOf(body(more))).not.toBe(same)
})

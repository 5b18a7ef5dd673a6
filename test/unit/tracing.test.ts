import fc from 'fast-check'
import { expect, test } from 'vitest'
import { wantsTraces } from '../../src/config.js'
import {
  beginSpan,
  inSpan,
  isTracing,
  traceFields,
  traceHeaders,
  traceParentOf,
} from '../../src/platform/tracing/spans.js'
import { readTraceParent, writeTraceParent } from '../../src/platform/tracing/traceparent.js'

const collector = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:4318' }

test.each<[string, Record<string, string>, boolean]>([
  ['nothing is set', {}, false],
  ['a collector is named', collector, true],
  ['a collector for traces is named', { OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'http://127.0.0.1:4318/v1/traces' }, true],
  ['an exporter is named', { OTEL_TRACES_EXPORTER: 'console' }, true],
  ['the exporter is none', { ...collector, OTEL_TRACES_EXPORTER: 'none' }, false],
  ['the SDK is disabled', { ...collector, OTEL_SDK_DISABLED: 'TRUE' }, false],
  ['only metrics have a collector', { OTEL_EXPORTER_OTLP_METRICS_ENDPOINT: 'http://127.0.0.1:4318' }, false],
])('whether traces are wanted when %s', (_name, env, wanted) => {
  expect(wantsTraces(env)).toBe(wanted)
})

const hex = (length: number) =>
  fc
    .array(fc.constantFrom(...'0123456789abcdef'), { minLength: length, maxLength: length })
    .map((digits) => digits.join(''))
    .filter((text) => !/^0+$/.test(text))

test('a traceparent is read as it was written', () => {
  fc.assert(
    fc.property(hex(32), hex(16), fc.constantFrom(0, 1), (traceId, spanId, traceFlags) => {
      const text = writeTraceParent({ traceId, spanId, traceFlags }) ?? ''
      expect(readTraceParent(text)).toEqual({ traceId, spanId, traceFlags, isRemote: true })
    }),
  )
})

test.each(['', 'nonsense', `00-${'0'.repeat(32)}-${'1'.repeat(16)}`, `01-${'1'.repeat(32)}-${'1'.repeat(16)}-01`])(
  'what is no traceparent begins a trace of its own: "%s"',
  (text) => {
    expect(writeTraceParent(readTraceParent(text))).toBe(null)
  },
)

test('without an SDK work is done as if there were no spans, and its failure is its own', async () => {
  const parent = `00-${'1'.repeat(32)}-${'2'.repeat(16)}-01`
  expect(await inSpan('work', { parent }, async () => [isTracing(), traceHeaders(), traceFields()])).toEqual([
    false,
    {},
    {},
  ])
  const failure = new Error('of the work')
  await expect(inSpan('work', {}, () => Promise.reject(failure))).rejects.toBe(failure)
  expect(traceParentOf(beginSpan('work', { parent: null }))).toBe(null)
  // What another process began is not lost on a process without an SDK.
  expect(traceParentOf(beginSpan('work', { parent }))).toBe(parent)
})

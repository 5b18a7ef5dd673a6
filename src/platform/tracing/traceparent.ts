import { INVALID_SPAN_CONTEXT, isSpanContextValid, type SpanContext, TraceFlags } from '@opentelemetry/api'

/** W3C Trace Context, version 00: https://www.w3.org/TR/trace-context/#traceparent-header */
const pattern = /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/

/** `null`: there is no trace to go on with. */
export function writeTraceParent(span: SpanContext | undefined): string | null {
  if (span === undefined || span === INVALID_SPAN_CONTEXT || !isSpanContextValid(span)) return null
  const flags = (span.traceFlags & TraceFlags.SAMPLED).toString(16).padStart(2, '0')
  return `00-${span.traceId}-${span.spanId}-${flags}`
}

/** What cannot be read begins a trace of its own. */
export function readTraceParent(text: string): SpanContext {
  const [, traceId, spanId, flags] = pattern.exec(text) ?? []
  if (traceId === undefined || spanId === undefined || flags === undefined) return INVALID_SPAN_CONTEXT
  return { traceId, spanId, traceFlags: Number.parseInt(flags, 16) & TraceFlags.SAMPLED, isRemote: true }
}

import {
  type Attributes,
  type Context,
  context,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  type SpanOptions,
  SpanStatusCode,
  trace,
} from '@opentelemetry/api'
import { readTraceParent, writeTraceParent } from './traceparent.js'

export type { Span } from '@opentelemetry/api'

/**
 * Spans of one trace from a push of Feishu's to Feishu's answer. Its traceparent lies in the rows, so it goes on in
 * whatever process takes the next step. Without an SDK (start.ts, or one that was preloaded) all of this does nothing.
 * Attributes are ids, codes and counts, never what a person, a result or a link says.
 */
export interface SpanFacts {
  kind?: 'server' | 'client' | 'consumer'
  /** The traceparent of a row, `null` for a trace of its own; left out: whatever is going on here. */
  parent?: string | null
  /** When it began, on the clock of `performance.now()`; now when left out. */
  since?: number
  attributes?: Attributes
}

const tracer = trace.getTracer('bgc-bridge')
const kinds = { server: SpanKind.SERVER, client: SpanKind.CLIENT, consumer: SpanKind.CONSUMER }

/** The caller ends it. */
export function beginSpan(name: string, facts: SpanFacts): Span {
  const { kind, since, attributes } = facts
  // Not spread: each push begins one, with an SDK and without.
  const options: SpanOptions = {}
  if (kind !== undefined) options.kind = kinds[kind]
  if (since !== undefined) options.startTime = performance.timeOrigin + since
  if (attributes !== undefined) options.attributes = attributes
  return tracer.startSpan(name, options, contextOf(facts))
}

/** Does the work in a span that ends with it; a failure leaves its name only, as its message may quote values. */
export async function inSpan<T>(name: string, facts: SpanFacts, work: (span: Span) => Promise<T>): Promise<T> {
  const span = beginSpan(name, facts)
  try {
    return await context.with(trace.setSpan(contextOf(facts), span), work, undefined, span)
  } catch (failure) {
    failSpan(span, failure instanceof Error ? failure.name : typeof failure)
    throw failure
  } finally {
    span.end()
  }
}

/** `type`: a name or a code out of a small set. */
export function failSpan(span: Span, type: string): void {
  span.setAttribute('error.type', type)
  span.setStatus({ code: SpanStatusCode.ERROR })
}

/** For a row, so that whoever takes it goes on with this trace; `null` while there is none. */
export function traceParentOf(span: Span | undefined = trace.getActiveSpan()): string | null {
  return writeTraceParent(span?.spanContext())
}

/** For a request to somebody who may go on with the trace. */
export function traceHeaders(): { traceparent?: string } {
  const traceparent = traceParentOf()
  return traceparent === null ? {} : { traceparent }
}

/** For each line of the log. */
export function traceFields(): { trace_id?: string; span_id?: string } {
  const span = trace.getActiveSpan()?.spanContext()
  return span === undefined ? {} : { trace_id: span.traceId, span_id: span.spanId }
}

export function isTracing(): boolean {
  return trace.getActiveSpan() !== undefined
}

function contextOf({ parent }: SpanFacts): Context {
  if (parent === undefined) return context.active()
  return parent === null ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, readTraceParent(parent))
}

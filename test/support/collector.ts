import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface CollectedSpan {
  name: string
  traceId: string
  spanId: string
  /** Empty for the root of a trace. */
  parentSpanId: string
  attributes: Record<string, string>
  resource: Record<string, string>
}

/** An OpenTelemetry collector that takes OTLP over HTTP in JSON, and keeps what came as it came. */
export interface Collector {
  url: string
  spans(): CollectedSpan[]
  /** All that was ever sent to it, on any path. */
  raw(): string
  paths(): string[]
  stop(): Promise<void>
}

interface Attribute {
  key: string
  value: Record<string, unknown>
}

interface Sent {
  resourceSpans: Array<{
    resource: { attributes: Attribute[] }
    scopeSpans: Array<{
      spans: Array<{ name: string; traceId: string; spanId: string; parentSpanId?: string; attributes: Attribute[] }>
    }>
  }>
}

export async function startCollector(): Promise<Collector> {
  const bodies: string[] = []
  const paths: string[] = []
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      bodies.push(Buffer.concat(chunks).toString('utf8'))
      paths.push(request.url ?? '')
      response.setHeader('content-type', 'application/json').end('{}')
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    spans: () => bodies.flatMap((body) => spansOf(JSON.parse(body) as Sent)),
    raw: () => bodies.join('\n'),
    paths: () => [...new Set(paths)],
    stop: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

function spansOf({ resourceSpans }: Sent): CollectedSpan[] {
  return resourceSpans.flatMap(({ resource, scopeSpans }) =>
    scopeSpans.flatMap(({ spans }) =>
      spans.map(({ name, traceId, spanId, parentSpanId = '', attributes }) => ({
        ...{ name, traceId, spanId, parentSpanId },
        attributes: recordOf(attributes),
        resource: recordOf(resource.attributes),
      })),
    ),
  )
}

function recordOf(attributes: readonly Attribute[]): Record<string, string> {
  return Object.fromEntries(attributes.map(({ key, value }) => [key, String(Object.values(value)[0])]))
}

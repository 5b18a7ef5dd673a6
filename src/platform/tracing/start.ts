import { DiagLogLevel, diag } from '@opentelemetry/api'
import type { Started } from '../lifetime.js'
import type { Logger } from '../logger.js'

export interface TracingOptions {
  version: string
  log: Logger
}

/** A collector that does not answer does not hold up a stop for longer. */
const flushWithinMs = 3000

/**
 * Starts the OpenTelemetry SDK for traces alone; the caller found out that the standard OTEL_* variables ask for it. The
 * SDK reads all of them itself. Loaded here only: it costs some 150 ms and 30 MB. Nothing that goes wrong with it
 * harms the service.
 */
export async function startTracing({ version, log }: TracingOptions): Promise<Started> {
  try {
    const { NodeSDK, resources } = await import('@opentelemetry/sdk-node')
    const ours = resources.resourceFromAttributes({ 'service.name': 'bgc-bridge', 'service.version': version })
    const sdk = new NodeSDK({
      // OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES win over ours. Others would tell arguments and users of processes.
      resource: resources.defaultResource().merge(ours),
      resourceDetectors: [resources.envDetector, resources.hostDetector],
      instrumentations: [],
      metricReaders: [],
      logRecordProcessors: [],
    })
    // After the constructor, which would have it on the console.
    diag.setLogger(toLog(log), { logLevel: DiagLogLevel.WARN, suppressOverrideMessage: true })
    sdk.start()
    log.info({ event: 'tracing.started' }, 'traces are exported')
    return { stop: () => within(sdk.shutdown(), log) }
  } catch (failure) {
    log.warn({ event: 'tracing.not_started', err: failure }, 'there are no traces')
    return { stop: async () => undefined }
  }
}

async function within(flushed: Promise<void>, log: Logger): Promise<void> {
  const late = new Promise<void>((resolve) => setTimeout(resolve, flushWithinMs).unref())
  await Promise.race([flushed, late]).catch((failure: unknown) => {
    log.warn({ event: 'tracing.flush_failed', err: failure }, 'the last spans may be lost')
  })
}

const everyMs = 60_000

/** One line a minute; messages may quote what a collector answered, so only the code in them is kept. */
function toLog(log: Logger, now = () => performance.now()) {
  let saidAt = Number.NEGATIVE_INFINITY
  const say = (message: string) => {
    if (now() - saidAt < everyMs) return
    saidAt = now()
    const code = /\b(E[A-Z_]{3,}|[45]\d\d)\b/.exec(message)?.[1]
    log.warn({ event: 'tracing.trouble', ...(code !== undefined && { code }) }, 'the OpenTelemetry SDK complains')
  }
  const nothing = () => undefined
  return { error: say, warn: say, info: nothing, debug: nothing, verbose: nothing }
}

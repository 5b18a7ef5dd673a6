import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'

/** Every metric of the service; no label has values without a bound. */
export type Metrics = ReturnType<typeof createMetrics>

const seconds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600]

/** Of prom-client: `_total` is for counters, and each says the sum of another metric. */
const gaugesCalledTotal = ['handles', 'requests', 'resources'].map((what) => `bgc_nodejs_active_${what}_total`)

export function createMetrics() {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry, prefix: 'bgc_' })
  for (const name of gaugesCalledTotal) registry.removeSingleMetric(name)
  const registers = [registry]
  const counter = <L extends string>(name: string, help: string, labelNames: L[]) =>
    new Counter({ name, help, labelNames, registers })
  const histogram = <L extends string>(name: string, help: string, labelNames: L[], buckets = seconds) =>
    new Histogram({ name, help, labelNames, buckets, registers })
  return {
    registry,
    webhookAnswers: counter('bgc_webhook_answers_total', 'Answers to pushes of Feishu, by HTTP status and reason.', [
      'status',
      'reason',
    ]),
    webhookSeconds: histogram('bgc_webhook_answer_seconds', 'Time from the first byte of a push to its answer.', []),
    acceptedBatch: histogram(
      'bgc_inbox_batch_events',
      'Events committed together.',
      [],
      [1, 2, 5, 10, 20, 50, 100, 200],
    ),
    eventsSettled: counter('bgc_events_settled_total', 'Events that took effect, were ignored or failed.', [
      'type',
      'state',
    ]),
    vendorCalls: counter('bgc_vendor_calls_total', 'Calls to the vendor, by verb and outcome.', ['verb', 'outcome']),
    vendorSeconds: histogram('bgc_vendor_call_seconds', 'Duration of calls to the vendor.', ['verb']),
    vendorBreaker: new Gauge({
      name: 'bgc_vendor_breaker_open',
      help: '1 while the vendor is not being called, 0.5 while it is being tried.',
      registers,
    }),
    polls: counter('bgc_polled_orders_total', 'Orders asked for at the vendor, by outcome.', ['outcome']),
    agreementChanges: counter(
      'bgc_vendor_agreement_changes_total',
      'Changes in the vendor’s feed of tripartite agreements, by what became of them.',
      ['outcome'],
    ),
    attempts: counter(
      'bgc_feishu_attempts_total',
      'Calls to Feishu that changed something, by what became of the delivery or what it asked for.',
      ['api', 'settled'],
    ),
    attemptSeconds: histogram('bgc_feishu_attempt_seconds', 'Duration of calls to Feishu.', ['api']),
    reads: counter('bgc_feishu_reads_total', 'Calls to Feishu that only asked, by what came of them.', [
      'api',
      'outcome',
    ]),
    limited: counter('bgc_feishu_limited_total', 'Answers of Feishu that asked to slow down; there should be none.', [
      'api',
    ]),
    rebuilds: counter(
      'bgc_limiter_rebuilds_total',
      'Buckets of the limiter that were lost and rebuilt from what the database knows.',
      [],
    ),
    slots: counter('bgc_limiter_slots_total', 'Slots asked for before calls to Feishu: granted, or to wait for.', [
      'api',
      'result',
    ]),
    deliverySeconds: histogram(
      'bgc_delivery_seconds',
      'From the moment a stage or result was seen until Feishu had it, limits included.',
      ['api'],
    ),
    sweepTurns: counter(
      'bgc_sweep_turns_total',
      'Questions of sweeps over Feishu’s order lists and their ends, by outcome.',
      ['outcome'],
    ),
    findings: counter('bgc_findings_total', 'Differences that sweeps found, by kind: listed, or repaired at once.', [
      'kind',
      'result',
    ]),
    reportAnswers: counter('bgc_report_answers_total', 'Answers below /reports, by HTTP status and reason.', [
      'status',
      'reason',
    ]),
    reportBytes: counter('bgc_report_bytes_total', 'Bytes of reports that were passed on.', []),
    housekeeping: counter('bgc_housekeeping_rows_total', 'Rows that were erased, flagged or deleted by the clock.', [
      'chore',
    ]),
    requests: counter('bgc_api_requests_total', 'Requests to the operators’ interface, by route and HTTP status.', [
      'method',
      'route',
      'status',
    ]),
    requestSeconds: histogram('bgc_api_request_seconds', 'Time to the answer to a request of an operator.', ['route']),
    replays: counter('bgc_api_replays_total', 'Writes whose Idempotency-Key brought the answer to an earlier one.', []),
    failures: counter('bgc_loop_failures_total', 'Turns of a background loop that failed and were tried again.', [
      'loop',
    ]),
  }
}

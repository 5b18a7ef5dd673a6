import { randomUUID } from 'node:crypto'
import type { FeishuApp } from '../../config.js'
import { createHttpClient, type HttpClient } from '../../platform/http-call.js'
import { sealEvent } from '../../sandbox/feishu/seal.js'
import { type Check, type Found, ok, wrong } from './check.js'

const withinMs = 5000

/** Sends what Feishu sends when the address of events is set: a signed, encrypted challenge. Nothing is kept of it. */
export const eventUrlCheck: Check = {
  name: 'event URL',
  run: async ({ config, eventUrl }) => {
    const base = eventUrl ?? config.reportLinks.publicUrl ?? `http://127.0.0.1:${config.port}`
    const client = createHttpClient({ proxy: config.proxy })
    try {
      const found: Found[] = []
      for (const app of config.feishu.apps) found.push(...(await challenge(client, base, app)))
      return found
    } finally {
      client.stop()
    }
  },
}

async function challenge(client: HttpClient, base: string, app: FeishuApp): Promise<Found[]> {
  const said = randomUUID()
  const content = { type: 'url_verification', challenge: said, token: app.verificationToken }
  const { body, headers } = sealEvent(app.encryptKey, content)
  const url = new URL(`${base.replace(/\/+$/, '')}/webhooks/feishu/${app.appId}/events`)
  const answer = await client.call({ method: 'POST', url, headers, body, timeoutMs: withinMs })
  if (answer.kind !== 'answer') {
    return wrong(
      `${url.href}: ${answer.message}`,
      'start the service, or name where it is with --event-url; from outside, check DNS, TLS and the proxy in front',
    )
  }
  if (answer.status === 200 && answer.body.includes(said)) return ok(`${url.href} answers the challenge`)
  const remedies: Readonly<Record<number, string>> = {
    200: 'something else answers at this address: check the proxy in front',
    401: 'the service there has another FEISHU_ENCRYPT_KEY, FEISHU_VERIFICATION_TOKEN or app, or something changes the body on its way',
    404: 'the service there has no role receiver, or a proxy changes the path',
    503: 'the service there cannot reach its database, or is stopping',
  }
  return wrong(
    `${url.href} answered ${answer.status} to a signed challenge`,
    remedies[answer.status] ?? 'look at its log, and at what stands in front of it',
  )
}

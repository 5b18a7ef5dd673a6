import { createHmac } from 'node:crypto'
import { z } from 'zod'
import { createHttpClient } from '../../platform/http-call.js'
import type { ProxySettings } from '../../platform/proxy.js'

/**
 * A bot of a Feishu group, spoken to through its webhook: 100 messages a minute and 5 a second, 20 KB each.
 * https://open.feishu.cn/document/client-docs/bot-v3/add-custom-bot
 */
export interface Bot {
  post(card: Card): Promise<Posted>
  stop(): void
}

export interface Card {
  title: string
  colour: 'red' | 'orange' | 'green' | 'blue'
  /** Lark's Markdown, one paragraph each. */
  paragraphs: readonly string[]
}

/** `reason` is ours, with Feishu's code. */
export type Posted = { kind: 'posted' } | { kind: 'failed'; reason: string }

const timeoutMs = 5000
const answered = z.object({ code: z.int().optional(), StatusCode: z.int().optional() })

export function createBot({ url, secret }: { url: string; secret?: string }, proxy: ProxySettings): Bot {
  const client = createHttpClient({ proxy, maxAnswerBytes: 65_536 })
  return {
    stop: () => client.stop(),
    post: async (card) => {
      const body = JSON.stringify({ ...signatureOf(secret, Date.now()), msg_type: 'interactive', card: cardOf(card) })
      const headers = { 'Content-Type': 'application/json; charset=utf-8' }
      const answer = await client.call({ method: 'POST', url: new URL(url), headers, body, timeoutMs })
      if (answer.kind !== 'answer') return { kind: 'failed', reason: 'the bot gave no answer' }
      const code = codeOf(answer.body)
      if (answer.status === 200 && code === 0) return { kind: 'posted' }
      return { kind: 'failed', reason: `the bot answered ${answer.status}, code ${code ?? 'none'}` }
    },
  }
}

/** The secret is part of the key, and nothing is signed with it: so Feishu has it. */
export function signatureOf(secret: string | undefined, now: number): { timestamp?: string; sign?: string } {
  if (secret === undefined) return {}
  const timestamp = String(Math.floor(now / 1000))
  return { timestamp, sign: createHmac('sha256', `${timestamp}\n${secret}`).update('').digest('base64') }
}

function cardOf({ title, colour, paragraphs }: Card) {
  return {
    config: { wide_screen_mode: true },
    header: { template: colour, title: { tag: 'plain_text', content: title } },
    elements: paragraphs.map((content) => ({ tag: 'markdown', content })),
  }
}

function codeOf(body: Buffer): number | undefined {
  try {
    const { code, StatusCode } = answered.parse(JSON.parse(body.toString('utf8')))
    return code ?? StatusCode
  } catch {
    // A page of a proxy, most likely: the status tells.
    return undefined
  }
}

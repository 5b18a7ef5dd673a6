import { createHmac } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'

export interface Message {
  title: string
  template: string
  text: string
}

export interface GroupBot {
  url: string
  messages: Message[]
  /** What is answered instead of a yes. */
  trouble: { status: number; body: string } | null
  stop(): Promise<void>
}

/** A bot of a group as Feishu has it, strict about its signature: seconds, and the secret in the key. */
export async function startGroupBot(secret: string): Promise<GroupBot> {
  const bot: GroupBot = { url: '', messages: [], trouble: null, stop: async () => undefined }
  const server = createServer(async (request, response) => {
    const body = JSON.parse(await text(request))
    const refuse = (code: number) => response.end(JSON.stringify({ code, msg: 'refused' }))
    if (bot.trouble !== null) return response.writeHead(bot.trouble.status).end(bot.trouble.body)
    const sign = createHmac('sha256', `${body.timestamp}\n${secret}`).digest('base64')
    if (!/^\d{10}$/.test(body.timestamp) || body.sign !== sign) return refuse(19021)
    if (Math.abs(Date.now() / 1000 - Number(body.timestamp)) > 3600) return refuse(19021)
    if (body.msg_type !== 'interactive' || JSON.stringify(body).length > 20_000) return refuse(9499)
    const { header, elements } = body.card
    const paragraphs = elements.map((each: { tag: string; content: string }) => {
      if (each.tag !== 'markdown') throw new Error(`not a paragraph: ${each.tag}`)
      return each.content
    })
    bot.messages.push({ title: header.title.content, template: header.template, text: paragraphs.join('\n') })
    return response.end(JSON.stringify({ code: 0, msg: 'success', data: {} }))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  bot.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/open-apis/bot/v2/hook/canary-token`
  bot.stop = async () => {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  }
  return bot
}

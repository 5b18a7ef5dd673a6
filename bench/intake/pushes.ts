import { randomUUID } from 'node:crypto'
import { sealEvent } from '../../src/sandbox/feishu/seal.js'
import { app, eventType, path } from './settings.js'

/** Whole requests as Feishu makes them, each of an event of its own, so that sending one is a single write. */
export function makePushes(count: number): Buffer[] {
  return Array.from({ length: count }, makePush)
}

let lastOrder = 7_400_000_000_000_000_000n

function makePush(): Buffer {
  lastOrder += 1n
  const { body, headers } = sealEvent(app.encryptKey, eventOf(String(lastOrder)))
  const head = Object.entries({ Host: 'bench', 'Content-Length': String(body.length), ...headers })
  const lines = [`POST ${path} HTTP/1.1`, ...head.map(([name, value]) => `${name}: ${value}`)]
  return Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`), body])
}

/** An order with all that contract §1.3 shows. */
function eventOf(backgroundCheckId: string) {
  return {
    schema: '2.0',
    header: {
      event_id: randomUUID(),
      event_type: eventType,
      create_time: String(Date.now()),
      token: app.verificationToken,
      app_id: app.appId,
      tenant_key: 'tk_bench',
    },
    event: {
      background_check_id: backgroundCheckId,
      account_id: '7400000000000000101',
      package_id: 'pkg-std-01',
      additional_item_id_list: ['ext-edu-02'],
      comment: '候选人下周入职，请优先',
      candidate_info: {
        name: '林示例',
        mobile: { code: '86', number: '13000000000' },
        email: 'lin.demo@example.com',
        first_name: 'Demo',
        last_name: 'Lin',
      },
      client_contact_info: { name: '王示例', mobile: { code: '86', number: '13100000000' }, email: 'hr@example.com' },
      custom_field_list: [{ key: 'degree', value: 'bachelor' }],
    },
  }
}

import { randomUUID } from 'node:crypto'
import type { ReceivingApp } from '../../src/flow/from-feishu/judge.js'
import { encryptedBody, jsonHeaders, type SealOptions, sealEvent } from '../../src/sandbox/feishu/seal.js'

/** Pushes as Feishu makes them, sealed by the sender's own recipe. */
export const firstApp: ReceivingApp = { appId: 'cli_first', encryptKey: 'test key', verificationToken: 'vt_first' }
export const secondApp: ReceivingApp = {
  appId: 'cli_second',
  encryptKey: 'another key',
  verificationToken: 'vt_second',
}

export interface Push {
  body: Buffer
  headers: Record<string, string>
}

type Fields = Record<string, unknown>

export function eventOf(app: ReceivingApp, type: string, event: unknown, header: Fields = {}) {
  return {
    schema: '2.0',
    header: {
      event_id: randomUUID(),
      event_type: type,
      create_time: '1767225600123',
      token: app.verificationToken,
      app_id: app.appId,
      tenant_key: 'tk_one',
      ...header,
    },
    event,
  }
}

/** The envelope of app_ticket and the life cycle. */
export function oldEventOf(app: ReceivingApp, type: string, event: Fields = {}, envelope: Fields = {}) {
  return {
    ts: '1767225600.5521',
    uuid: randomUUID(),
    token: app.verificationToken,
    type: 'event_callback',
    event: { type, app_id: app.appId, ...event },
    ...envelope,
  }
}

export function push(app: ReceivingApp, content: unknown, options: SealOptions = {}): Push {
  return sealEvent(app.encryptKey, content, options)
}

export function unsigned(app: ReceivingApp, content: unknown): Push {
  return { body: encryptedBody(app.encryptKey, content), headers: { ...jsonHeaders } }
}

export const created = 'hire.eco_background_check.created_v1'
export const canceled = 'hire.eco_background_check.canceled_v1'
export const bound = 'hire.eco_account.created_v1'

/** The sample of contract §1.3. */
export function checkBody(backgroundCheckId: string, more: Fields = {}): Fields {
  return {
    background_check_id: backgroundCheckId,
    account_id: '7400000000000000101',
    package_id: 'pkg-std-01',
    additional_item_id_list: ['ext-edu-02'],
    comment: 'urgent',
    candidate_info: {
      name: 'Lin Demo',
      mobile: { code: '86', number: '13000000000' },
      email: 'lin.demo@example.com',
      first_name: 'Demo',
      last_name: 'Lin',
    },
    client_contact_info: { name: 'Hr Demo', mobile: { code: '86', number: '13100000000' }, email: 'hr@example.com' },
    custom_field_list: [{ key: 'degree', value: 'bachelor' }],
    ...more,
  }
}

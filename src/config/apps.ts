import { z } from 'zod'
import { baseUrl } from './parsers.js'
import type { Values } from './variables.js'

export interface FeishuApp {
  appId: string
  appSecret: string
  appType: 'custom' | 'store'
  encryptKey: string
  verificationToken: string
  baseUrl: string
}

const single = ['FEISHU_APP_ID', 'FEISHU_APP_SECRET', 'FEISHU_ENCRYPT_KEY', 'FEISHU_VERIFICATION_TOKEN'] as const

const appsFile = z
  .array(
    z.strictObject({
      app_id: z.string().min(1),
      app_secret: z.string().min(1),
      app_type: z.enum(['custom', 'store']),
      encrypt_key: z.string().min(1),
      verification_token: z.string().min(1),
      base_url: baseUrl.optional(),
    }),
  )
  .min(1)

/** The apps of the environment: the single one, or the list in FEISHU_APPS_FILE. Complaints go to `complain`. */
export function readApps(
  values: Values,
  readFile: (path: string) => string,
  complain: (text: string) => void,
): FeishuApp[] {
  const path = values.FEISHU_APPS_FILE
  return path === undefined ? singleApp(values, complain) : listedApps(path, values, readFile, complain)
}

function singleApp(values: Values, complain: (text: string) => void): FeishuApp[] {
  const [appId, appSecret, encryptKey, verificationToken] = single.map((name) => values[name])
  for (const name of single) {
    if (values[name] === undefined) complain(`${name}: required, unless FEISHU_APPS_FILE lists the apps`)
  }
  if (!appId || !appSecret || !encryptKey || !verificationToken) return []
  return [
    {
      appId,
      appSecret,
      appType: values.FEISHU_APP_TYPE,
      encryptKey,
      verificationToken,
      baseUrl: values.FEISHU_BASE_URL,
    },
  ]
}

function listedApps(
  path: string,
  values: Values,
  readFile: (path: string) => string,
  complain: (text: string) => void,
): FeishuApp[] {
  for (const name of single) {
    if (values[name] !== undefined) complain(`${name}: must not be set together with FEISHU_APPS_FILE`)
  }
  const parsed = appsFile.safeParse(readJson(path, readFile, complain))
  if (!parsed.success) {
    for (const issue of parsed.error.issues) {
      complain(`FEISHU_APPS_FILE: at ${issue.path.join('.') || 'the top'}: ${issue.message}`)
    }
    return []
  }
  const ids = parsed.data.map((app) => app.app_id)
  if (new Set(ids).size < ids.length) complain('FEISHU_APPS_FILE: expected each app_id once')
  return parsed.data.map((app) => ({
    appId: app.app_id,
    appSecret: app.app_secret,
    appType: app.app_type,
    encryptKey: app.encrypt_key,
    verificationToken: app.verification_token,
    baseUrl: app.base_url ?? values.FEISHU_BASE_URL,
  }))
}

function readJson(path: string, readFile: (path: string) => string, complain: (text: string) => void): unknown {
  try {
    return JSON.parse(readFile(path))
  } catch (cause) {
    complain(
      `FEISHU_APPS_FILE: ${cause instanceof SyntaxError ? 'expected JSON' : `cannot be read (${codeOf(cause)})`}`,
    )
    return []
  }
}

export function codeOf(cause: unknown): string {
  return cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown error'
}

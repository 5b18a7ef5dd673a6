import { z } from 'zod'
import { baseUrl } from './parsers.js'
import { type Values, variables } from './variables.js'

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

export interface AppsSource {
  values: Values
  /** Names that were not given at all; what was given and refused has been complained about. */
  unset: ReadonlySet<string>
  readFile: (path: string) => string
  complain: (text: string) => void
}

/** The apps of the environment: the single one, or the list in FEISHU_APPS_FILE. Complaints go to `complain`. */
export function readApps(source: AppsSource): FeishuApp[] {
  const path = source.values.FEISHU_APPS_FILE
  return path === undefined ? singleApp(source) : listedApps(path, source)
}

function singleApp({ values, unset, complain }: AppsSource): FeishuApp[] {
  for (const name of single) {
    if (unset.has(name)) complain(`${name}: required ${variables[name].required}`)
  }
  const [appId, appSecret, encryptKey, verificationToken] = single.map((name) => values[name])
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

function listedApps(path: string, { values, unset, readFile, complain }: AppsSource): FeishuApp[] {
  for (const name of [...single, 'FEISHU_APP_TYPE']) {
    if (!unset.has(name)) complain(`${name}: must not be set together with FEISHU_APPS_FILE`)
  }
  const json = readJson(path, readFile, complain)
  if (json === undefined) return []
  const parsed = appsFile.safeParse(json)
  if (!parsed.success) {
    for (const issue of parsed.error.issues) complain(`FEISHU_APPS_FILE: ${explain(issue)}`)
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

/** Text that does not parse was complained about, and there is nothing more to check. */
function readJson(path: string, readFile: AppsSource['readFile'], complain: AppsSource['complain']): unknown {
  try {
    return JSON.parse(readFile(path))
  } catch (cause) {
    complain(
      `FEISHU_APPS_FILE: ${cause instanceof SyntaxError ? 'expected JSON' : `cannot be read (${codeOf(cause)})`}`,
    )
    return undefined
  }
}

/** Where it is wrong and what was expected; values are not shown, since most of them are secret. */
function explain({ path, message }: z.core.$ZodIssue): string {
  return path.length === 0
    ? message
    : `entry ${path.map((key) => (typeof key === 'number' ? key + 1 : String(key))).join(', ')}: ${message}`
}

/** The code of a failed file access, such as ENOENT; never its message, which could say more than the reader should see. */
export function codeOf(cause: unknown): string {
  return cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown error'
}

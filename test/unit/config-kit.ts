import { ConfigError, readConfig } from '../../src/config.js'

/** An environment that starts: one app, the http adapter. */
export const complete = {
  FEISHU_APP_ID: 'cli_a',
  FEISHU_APP_SECRET: 'app-secret',
  FEISHU_ENCRYPT_KEY: 'encrypt-key',
  FEISHU_VERIFICATION_TOKEN: 'token',
  VENDOR_BASE_URL: 'https://vendor.example.com/feishu/',
  VENDOR_API_KEY: 'vendor-key',
}

/** Files by their path; any other is missing. */
export function filesOf(files: Readonly<Record<string, string>>) {
  return (path: string): string => {
    const content = files[path]
    if (content === undefined) throw Object.assign(new Error(`no ${path}`), { code: 'ENOENT' })
    return content
  }
}

export function read(
  changes: Readonly<Record<string, string | undefined>>,
  files: Readonly<Record<string, string>> = {},
) {
  return readConfig({ ...complete, ...changes }, filesOf(files))
}

/** What is said about an environment that does not start; empty when it does. */
export function complaintsOf(
  changes: Readonly<Record<string, string | undefined>>,
  files: Readonly<Record<string, string>> = {},
): readonly string[] {
  try {
    read(changes, files)
    return []
  } catch (failure) {
    if (failure instanceof ConfigError) return failure.complaints
    throw failure
  }
}

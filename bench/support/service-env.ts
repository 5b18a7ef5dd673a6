import type { SandboxApp } from '../../src/sandbox/index.js'

/** An app of one suite; its secrets follow from its name. */
export function benchApp(name: string, appType: SandboxApp['appType']): SandboxApp {
  return {
    appId: `cli_bench_${name}`,
    appSecret: `${name}-app-secret`,
    appType,
    encryptKey: `${name}-encrypt-key`,
    verificationToken: `${name}-verification-token`,
  }
}

export const encryptionKey = Buffer.alloc(32, 7)

/** What every measured process of the service is given: its database is migrated, and its port is free. */
export const serviceEnv = {
  HOST: '127.0.0.1',
  PORT: '0',
  BGC_AUTO_MIGRATE: 'false',
  BGC_ENCRYPTION_KEYS: `k1:${encryptionKey.toString('base64')}`,
}

/** The one app of a service. */
export function appEnv({ appId, appSecret, appType, encryptKey, verificationToken }: SandboxApp) {
  return {
    FEISHU_APP_ID: appId,
    FEISHU_APP_SECRET: appSecret,
    FEISHU_APP_TYPE: appType,
    FEISHU_ENCRYPT_KEY: encryptKey,
    FEISHU_VERIFICATION_TOKEN: verificationToken,
  }
}

/** Options of node for the measured service, as `--cpu-prof --cpu-prof-dir=profiles`. */
export function nodeArgs(): string[] {
  return process.env.BENCH_NODE_ARGS?.split(' ') ?? []
}

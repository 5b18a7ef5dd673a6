import { codeOf } from '../config/apps.js'
import { ConfigError } from '../config.js'

/** For people who try it on their own machine; what is set in the environment wins. */
export function loadDotEnv(): void {
  try {
    process.loadEnvFile()
  } catch (failure) {
    const code = codeOf(failure)
    if (code !== 'ENOENT') throw new ConfigError([`.env: cannot be read (${code})`])
  }
}

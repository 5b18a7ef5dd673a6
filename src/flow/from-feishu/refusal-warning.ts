import type { Logger } from '../../platform/logger.js'
import type { AnswerReason } from './receiver.js'

const everyMs = 60_000

/** What to look at; the sender of a forgery is told nothing, the operator who mistyped a key is. */
const hints: Partial<Record<AnswerReason, string>> = {
  signature: 'the Encrypt Key may differ from the one in the developer console',
  unsigned: 'no signature came: the app may have no Encrypt Key, or the Verification Token of a challenge is wrong',
  plaintext: 'it was not encrypted: the app needs an Encrypt Key in the developer console',
  decryption: 'the Encrypt Key may differ from the one in the developer console',
  token: 'the Verification Token may differ from the one in the developer console',
  app: 'it was meant for another app: the request URL may name the wrong one',
  path: 'no such app is configured: the request URL may name the wrong one',
}

/** One line a minute for each reason: a wrong key would refuse every event of a customer in silence. */
export function createRefusalWarning(log: Logger, now = () => performance.now()) {
  const warnedAt = new Map<AnswerReason, number>()
  return (status: number, reason: AnswerReason): void => {
    const hint = hints[reason]
    if (status < 400 || hint === undefined) return
    if (now() - (warnedAt.get(reason) ?? Number.NEGATIVE_INFINITY) < everyMs) return
    warnedAt.set(reason, now())
    log.warn({ event: 'webhook.refused', status, reason, hint }, 'a push to the webhook was refused')
  }
}

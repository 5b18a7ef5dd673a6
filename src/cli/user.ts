import { userInfo } from 'node:os'

/** Who runs the command, for the audit. A container's user often has a number and no name. */
export function userOfCommand(): string {
  try {
    return userInfo().username
  } catch {
    return `uid ${process.getuid?.() ?? 'unknown'}`
  }
}

/** Where commands write: `out` is their answer, `err` what people should know besides. */
export interface Io {
  out: (text: string) => void
  err: (text: string) => void
  /** Somebody looks at `err` while it is written. */
  isTerminal?: boolean
}

export const processIo: Io = {
  out: (text) => process.stdout.write(text),
  err: (text) => process.stderr.write(text),
  isTerminal: process.stderr.isTTY,
}

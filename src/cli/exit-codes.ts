/** What `bgc` and the service end with; the last two as in sysexits.h. */
export const exitCodes = { ok: 0, failure: 1, usage: 64, configuration: 78 } as const

export const exitCodesHelp = `
Exit codes:
  0   done
  1   failed, with the reason on stderr
  64  wrong usage of the command line
  78  wrong configuration, with every complaint on stderr`

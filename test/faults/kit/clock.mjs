// Loaded before the service (`--import`): its wall clock is off by as many ms as the file of CLOCK_STEP_FILE says, read
// again at each SIGUSR2. What is monotonic stays so, as when somebody sets a machine's clock.
import { readFileSync } from 'node:fs'

const file = process.env.CLOCK_STEP_FILE
const RealDate = globalThis.Date
// Also a process that starts later has the machine's clock.
let offMs = file ? Number(readFileSync(file, 'utf8')) : 0

globalThis.Date = class SteppedDate extends RealDate {
  constructor(...args) {
    if (args.length === 0) super(RealDate.now() + offMs)
    else super(...args)
  }

  static now() {
    return RealDate.now() + offMs
  }
}

Object.defineProperty(globalThis.Date, 'name', { value: 'Date' })

if (file) {
  process.on('SIGUSR2', () => {
    offMs = Number(readFileSync(file, 'utf8'))
  })
}

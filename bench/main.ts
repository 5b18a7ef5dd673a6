import { benchSync } from './sync/main.js'

/** `npm run bench -- <suite> [quick] [parts]`: measures, prints, and writes the suite's report beside this file. */
const suites: Record<string, (args: readonly string[]) => Promise<void>> = { sync: benchSync }

const [name = '', ...args] = process.argv.slice(2)
const suite = suites[name]
if (suite === undefined) {
  console.error(`npm run bench -- <suite> [quick]; the suites are: ${Object.keys(suites).join(', ')}`)
  process.exit(2)
}
await suite(args)
process.exit(0)

import { writeFileSync } from 'node:fs'
import { Session } from 'node:inspector'

/* Loaded ahead of a program (`--import`): writes which scripts V8 was given, and how long each is, when the process ends. */

export type Script = readonly [url: string, characters: number]

const scripts: Script[] = []
const session = new Session()
session.connect()
session.on('Debugger.scriptParsed', ({ params: { url, length = 0 } }) => scripts.push([url, length]))
session.post('Debugger.enable')
process.on('exit', () => writeFileSync(process.env.BENCH_SCRIPTS ?? '', JSON.stringify(scripts)))

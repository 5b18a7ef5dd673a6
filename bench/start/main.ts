import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Form, Suite } from '../suite.js'
import type { Section } from '../support/report.js'
import type { Stores } from '../support/stores.js'
import { againstSection } from './against.js'
import { coldSection, coldStarts } from './cold.js'
import { commandSection } from './commands.js'
import { contendersOf, otherBuild } from './contenders.js'
import { installSection } from './install.js'
import { loadedBy, loadedSection } from './loaded.js'
import { memorySection, restAll } from './memory.js'
import { full, quick } from './settings.js'

export const start: Suite = {
  title: 'Start: to ready, at rest, on disk',
  about: `From \`spawn\` to the first 200 of /readyz, which a client asks for every few milliseconds over a new connection; a role is
ready when all of it works. Everything runs compiled and in turns. The baseline is an Express 5 server with one connected pool of
\`pg\` and nothing else: the ratio to it is what carries over to another machine.`,
  run: async (form: Form, stores: Stores): Promise<Section[]> => {
    const settings = form === 'full' ? full : quick
    const folder = join(stores.folder, 'start')
    await mkdir(folder)
    const contenders = await contendersOf(stores, folder, settings)
    const cold = await coldStarts(contenders, settings)
    const rest = await restAll(contenders, settings)
    const loaded = await loadedBy(contenders, folder)
    const sections = [coldSection(contenders, cold, settings), memorySection(contenders, rest, settings)]
    sections.push(loadedSection(contenders, loaded))
    const other = otherBuild()
    if (other !== null) sections.push(againstSection(contenders, { cold, rest, loaded }, other.commit, settings))
    sections.push(await commandSection(stores, settings))
    if (form === 'full') sections.push(await installSection(folder))
    return sections
  },
}

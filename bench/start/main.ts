import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Form, Suite } from '../suite.js'
import type { Section } from '../support/report.js'
import type { Stores } from '../support/stores.js'
import { coldStarts } from './cold.js'
import { commandSection } from './commands.js'
import { contendersOf } from './contenders.js'
import { installSection } from './install.js'
import { loadedSection } from './loaded.js'
import { memorySection } from './memory.js'
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
    const sections = [await coldStarts(contenders, settings)]
    sections.push(await memorySection(contenders, settings))
    sections.push(await loadedSection(contenders, folder))
    sections.push(await commandSection(stores, settings))
    if (form === 'full') sections.push(await installSection(folder))
    return sections
  },
}

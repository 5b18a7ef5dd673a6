import { compiledFolder, compileInto } from '../../test/support/compile.js'

/** What is measured runs compiled, as in production: a loader that renames functions costs CPU. */
export const programs = compiledFolder('bgc-bench')

export const compilePrograms = () => compileInto(programs)

import { join } from 'node:path'
import type { TestProject } from 'vitest/node'
import { compiledFolder, compileInto } from './compile.js'

const folder = compiledFolder('bgc-test')

/** Where a source of this project lies compiled, for a process of its own: a loader would make it start later. */
export function program(source: string): string {
  return join(folder, source.replace(/\.tsx?$/, '.js'))
}

export const compilePrograms = () => compileInto(folder)

/** Before all tests, and before those that a watch runs again. */
export default async function setup(project: TestProject): Promise<void> {
  await compilePrograms()
  project.onTestsRerun(compilePrograms)
}

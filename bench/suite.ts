import type { Section } from './support/report.js'
import type { Stores } from './support/stores.js'

/** One question of the benchmark: it brings its own processes and leaves nothing behind. */
export interface Suite {
  title: string
  /** What is compared, and how it is measured. */
  about: string
  /** `quick`: fewer rounds and smaller sizes, in some 20 s. */
  run(form: Form, stores: Stores): Promise<Section[]>
}

export type Form = 'full' | 'quick'

import { execFile } from 'node:child_process'
import { mkdir, rm, statfs, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)
const sizeMb = 160

/** A small disk of its own, which can be full. Only root may mount one. */
export class Disk {
  readonly folder: string

  private constructor(folder: string) {
    this.folder = folder
  }

  static async mount(below: string): Promise<Disk> {
    const folder = join(below, 'disk')
    await mkdir(folder)
    await run('mount', ['-t', 'tmpfs', '-o', `size=${sizeMb}m,mode=755`, 'tmpfs', folder])
    return new Disk(folder)
  }

  static async canMount(): Promise<boolean> {
    if (process.platform !== 'linux' || process.getuid?.() !== 0) return false
    const probe = '/tmp/.bgc-faults-mount'
    await mkdir(probe, { recursive: true })
    try {
      await run('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', probe])
      await run('umount', [probe])
      return true
    } catch {
      return false
    }
  }

  /** Takes every byte that is left. */
  async fill(): Promise<void> {
    const { bavail, bsize } = await statfs(this.folder)
    await writeFile(join(this.folder, 'ballast'), Buffer.alloc(bavail * bsize)).catch(() => undefined)
  }

  /** Bytes that are left. */
  async left(): Promise<number> {
    const { bavail, bsize } = await statfs(this.folder)
    return bavail * bsize
  }

  async empty(): Promise<void> {
    await rm(join(this.folder, 'ballast'), { force: true })
  }

  async unmount(): Promise<void> {
    await run('umount', ['-l', this.folder])
  }
}

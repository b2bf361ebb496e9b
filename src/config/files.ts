import { readdir, readFile, stat } from 'node:fs/promises'

/** The file system as far as reading configuration needs it. */
export interface ConfigFiles {
  kind(path: string): Promise<'file' | 'directory' | 'other' | 'missing'>
  /** Names of the regular files directly inside. */
  list(directory: string): Promise<readonly string[]>
  read(path: string): Promise<string>
}

export const realFiles: ConfigFiles = {
  async kind(path) {
    try {
      const found = await stat(path)
      return found.isFile() ? 'file' : found.isDirectory() ? 'directory' : 'other'
    } catch (error) {
      if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return 'missing'
      throw error
    }
  },
  async list(directory) {
    const entries = await readdir(directory, { withFileTypes: true })
    const names: string[] = []
    for (const entry of entries) {
      // Mounted configuration (Kubernetes) consists of symbolic links: what they lead to counts.
      const regular =
        entry.isFile() || (entry.isSymbolicLink() && (await this.kind(`${directory}/${entry.name}`)) === 'file')
      if (regular) names.push(entry.name)
    }
    return names
  },
  async read(path) {
    // What is no UTF-8 would become other characters, in a password too.
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(await readFile(path))
  },
}

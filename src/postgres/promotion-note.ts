import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { dataDirectoryModes, readText } from './files.ts'
import { identityText, type ProcessIdentity } from './process-table.ts'

/**
 * That a server was told to become a primary, for the next agent: PostgreSQL does not show it while the promotion is
 * under way, and it cannot be taken back. Holds for that one postmaster; a note about another one means nothing, so
 * it need not survive a power loss and may be left behind.
 */
export async function notePromotion(dataDir: string, postmaster: ProcessIdentity): Promise<void> {
  await writeFile(noteIn(dataDir), `${identityText(postmaster)}\n`, { mode: (await dataDirectoryModes(dataDir)).file })
}

export async function forgetPromotion(dataDir: string): Promise<void> {
  await rm(noteIn(dataDir), { force: true })
}

export async function wasToldToPromote(dataDir: string, postmaster: ProcessIdentity): Promise<boolean> {
  return (await readText(noteIn(dataDir))) === `${identityText(postmaster)}\n`
}

function noteIn(dataDir: string): string {
  return join(dataDir, 'matriarch.promotion')
}

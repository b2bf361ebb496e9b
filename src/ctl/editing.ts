import type { JsonObject } from '../cluster/json.ts'
import { parseMapping } from './config-edit.ts'
import { CtlError } from './errors.ts'
import type { Session } from './session.ts'
import { confirm } from './term/prompts.ts'

export interface EditedConfig {
  /** The file as the editor left it, comments included. */
  readonly text: string
  readonly value: JsonObject
}

/**
 * Lets the operator edit the configuration in an editor (spec ctl.md 8.8, step 3). A text that cannot be read is
 * offered again: nobody likes to lose what he has typed.
 */
export async function editConfig(session: Session, cluster: string, before: string): Promise<EditedConfig> {
  const { terminal, tools } = session
  const editor = findEditor(session)
  const name = { prefix: `${cluster.replaceAll('/', '_')}-config-`, suffix: '.yaml' }
  return tools.withTemporaryFile(name, before, async (file) => {
    for (;;) {
      const code = await tools.runWithTerminal(editor, file.path)
      if (code !== 0) throw new CtlError(`Editor exited with return code ${code}`)
      const text = file.read()
      try {
        return { text, value: parseMapping(text, 'The edited configuration') }
      } catch (error) {
        if (!(error instanceof CtlError)) throw error
        terminal.writeError(`Error: ${error.message}\n`)
        if (!(await confirm(terminal, 'Edit it again?'))) throw new CtlError('Nothing was changed')
      }
    }
  })
}

function findEditor({ tools }: Session): string {
  const editor = tools.env('EDITOR') ?? ['editor', 'vi'].find((name) => tools.which(name) !== null)
  if (editor === undefined) throw new CtlError('EDITOR environment variable is not set. editor or vi are not available')
  return editor
}

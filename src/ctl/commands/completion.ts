import { defineCommand } from '../cli/command.ts'
import { word } from '../cli/options.ts'
import { type CompletedCommand, completionScript } from '../completion.ts'

/** For the shell's start-up file: `source <(matriarchctl completion bash)`. */
export default defineCommand({
  description:
    'Print the completion script of a shell. bash: source <(matriarchctl completion bash); zsh: the same; fish: matriarchctl completion fish | source.',
  arguments: { shell: word(['bash', 'zsh', 'fish']) },
  options: {},
  async run(session, { shell }) {
    // The list of commands names this one as well.
    const { COMMANDS } = await import('../commands.ts')
    const commands = Object.entries(COMMANDS).map(async ([name, entry]): Promise<CompletedCommand> => {
      const { default: command } = await entry.load()
      const options = Object.values(command.options).map(({ names, metavar, help }) => ({ names, metavar, help }))
      const words = Object.values(command.arguments).flatMap(({ metavar }) => choicesIn(metavar))
      return { name, summary: entry.summary, options, words }
    })
    session.terminal.write(completionScript(shell, session.program, await Promise.all(commands)))
  },
})

/** `{restart|switchover}` and `[pretty|tsv]` are how words to choose from are shown. */
function choicesIn(metavar: string): readonly string[] {
  return /^\{.*\}$/.test(metavar) ? metavar.slice(1, -1).split('|') : []
}

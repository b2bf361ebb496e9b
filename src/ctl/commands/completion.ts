import { later } from '../../cluster/time.ts'
import { defineCommand } from '../cli/command.ts'
import { choice, text, word } from '../cli/options.ts'
import { type CompletedCommand, completionScript } from '../completion.ts'
import { clusterName, readSnapshot } from '../reading.ts'
import type { Session } from '../session.ts'
import { allTargets } from '../snapshot.ts'

/** Somebody has pressed a key and looks at the cursor. */
const NAMES_MS = 2000

/** For the shell's start-up file: `source <(matriarchctl completion bash)`. */
export default defineCommand({
  description:
    'Print the completion script of a shell. bash: source <(matriarchctl completion bash); zsh: the same; fish: matriarchctl completion fish | source.',
  arguments: { shell: word(['bash', 'zsh', 'fish']) },
  options: {
    names: choice(
      '--names',
      ['clusters', 'members'],
      'What the scripts ask: print names, or nothing in case of an error',
    ),
    cluster: text('--cluster', 'With --names members: of this cluster'),
  },
  async run(session, { shell }, { names, cluster }) {
    if (names !== null) {
      const found = names === 'clusters' ? [session.config.scope ?? ''] : await memberNames(session, cluster)
      session.terminal.write(found.map((name) => (name === '' ? '' : `${name}\n`)).join(''))
      return
    }
    // The list of commands names this one as well.
    const { COMMANDS } = await import('../commands.ts')
    const commands = Object.entries(COMMANDS).map(async ([name, entry]): Promise<CompletedCommand> => {
      const { default: command } = await entry.load()
      const options = Object.values(command.options).map(({ names: spelled, metavar, help }) => ({
        names: spelled,
        metavar,
        help,
      }))
      const metavars = Object.values(command.arguments).map(({ metavar }) => metavar)
      const takes = { cluster: metavars.some(isCluster), members: metavars.includes('MEMBER_NAMES') }
      return { name, summary: entry.summary, options, words: metavars.flatMap(choicesIn), takes }
    })
    session.terminal.write(completionScript(shell, session.program, await Promise.all(commands)))
  },
})

/** A shell that completes a line is not the place for error messages. */
async function memberNames(session: Session, cluster: string | null): Promise<readonly string[]> {
  const { clock } = session
  const { signal, done } = clock.deadline(later(clock.now(), NAMES_MS), session.signal)
  try {
    const inTime = { ...session, signal }
    const snapshot = await readSnapshot(inTime, clusterName(inTime, cluster || null), null)
    return allTargets(snapshot).map(({ name }) => name)
  } catch {
    return []
  } finally {
    done()
  }
}

const isCluster = (metavar: string): boolean => metavar === 'CLUSTER_NAME' || metavar === 'CLUSTER_NAMES'

/** `{restart|switchover}` and `[pretty|tsv]` are how words to choose from are shown. */
function choicesIn(metavar: string): readonly string[] {
  return /^\{.*\}$/.test(metavar) ? metavar.slice(1, -1).split('|') : []
}

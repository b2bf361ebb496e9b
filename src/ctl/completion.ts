export interface CompletedOption {
  readonly names: readonly string[]
  /** `null`: a flag. `[a|b]`: one of these words. */
  readonly metavar: string | null
  readonly help: string
}

export interface CompletedCommand {
  readonly name: string
  readonly summary: string
  readonly options: readonly CompletedOption[]
  /** Words that its arguments are chosen from. */
  readonly words: readonly string[]
}

const GLOBAL = ['-c', '--config-file', '-d', '--dcs-url', '-k', '--insecure', '--strict', '--help']

/** The script by which a shell completes commands, options and their words. */
export function completionScript(
  shell: 'bash' | 'zsh' | 'fish',
  program: string,
  commands: readonly CompletedCommand[],
): string {
  switch (shell) {
    case 'bash':
      return bashScript(program, commands)
    case 'zsh':
      // zsh understands scripts made for bash.
      return `autoload -U +X compinit && compinit -u\nautoload -U +X bashcompinit && bashcompinit\n${bashScript(program, commands)}`
    case 'fish':
      return fishScript(program, commands)
  }
}

function bashScript(program: string, commands: readonly CompletedCommand[]): string {
  const name = `_${program}`
  const cases = commands.map(
    ({ name: command, options, words }) =>
      `    ${command}) words="${[...options.flatMap(({ names }) => names), '--help', ...words].join(' ')}" ;;`,
  )
  const values = commands.flatMap(({ name: command, options }) =>
    options.flatMap(({ names, metavar }) => {
      const chosen = wordsOf(metavar)
      return chosen.length === 0
        ? []
        : [`    ${names.map((one) => `"${command} ${one}"`).join('|')}) words="${chosen.join(' ')}" ;;`]
    }),
  )
  return `${name}() {
  local cur="\${COMP_WORDS[COMP_CWORD]}" prev="\${COMP_WORDS[COMP_CWORD-1]}" command="" words="" i
  for ((i = 1; i < COMP_CWORD; i++)); do
    case "\${COMP_WORDS[i]}" in
      -c|--config-file|-d|--dcs|--dcs-url) ((i++)) ;;
      -*) ;;
      *) command="\${COMP_WORDS[i]}"; break ;;
    esac
  done
  if [[ -z "$command" && ( "$prev" == -c || "$prev" == --config-file ) ]]; then
    COMPREPLY=($(compgen -f -- "$cur"))
    return
  fi
  case "$command" in
    "") words="${[...commands.map((one) => one.name), ...GLOBAL].join(' ')}" ;;
${cases.join('\n')}
  esac
  case "$command $prev" in
${values.join('\n')}
    *) ;;
  esac
  COMPREPLY=($(compgen -W "$words" -- "$cur"))
}
complete -F ${name} ${program}
`
}

function fishScript(program: string, commands: readonly CompletedCommand[]): string {
  const quoted = (text: string): string => `'${text.replaceAll(/[\\']/g, (c) => `\\${c}`)}'`
  const lines = commands.flatMap(({ name, summary, options, words }) => {
    const seen = quoted(`__fish_seen_subcommand_from ${name}`)
    return [
      `complete -c ${program} -n __fish_use_subcommand -f -a ${name} -d ${quoted(summary)}`,
      ...(words.length > 0 ? [`complete -c ${program} -n ${seen} -f -a ${quoted(words.join(' '))}`] : []),
      ...options.map(({ names, metavar, help }) => {
        const spelled = names.map((one) => (one.startsWith('--') ? `-l ${one.slice(2)}` : `-s ${one.slice(1)}`))
        const chosen = wordsOf(metavar)
        const value = metavar === null ? '' : chosen.length > 0 ? ` -x -a ${quoted(chosen.join(' '))}` : ' -r'
        return `complete -c ${program} -n ${seen} ${spelled.join(' ')}${value} -d ${quoted(help)}`
      }),
    ]
  })
  return `${lines.join('\n')}\ncomplete -c ${program} -n __fish_use_subcommand -s c -l config-file -r -d 'Configuration file or directory'\n`
}

function wordsOf(metavar: string | null): readonly string[] {
  return metavar !== null && /^\[.*\|.*\]$/.test(metavar) ? metavar.slice(1, -1).split('|') : []
}

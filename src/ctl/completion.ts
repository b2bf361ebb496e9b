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
  /** Whether the first operand is a cluster, and the others are members. */
  readonly takes: { readonly cluster: boolean; readonly members: boolean }
}

const GLOBAL = ['-c', '--config-file', '-d', '--dcs', '--dcs-url', '-k', '--insecure', '--strict', '--help']
const GLOBAL_WITH_VALUE = ['-c', '--config-file', '-d', '--dcs', '--dcs-url']
/** Options whose value is the name of a member. */
const MEMBER_OPTIONS = ['--candidate', '--leader', '--primary', '--member', '-m']

/**
 * The script by which a shell completes commands, options, their words, and names of clusters and members. Names are asked
 * of the program itself: `completion SHELL --names members`.
 */
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

/** The line is split here rather than by the shell, for bash would split addresses at their colons. */
function bashScript(program: string, commands: readonly CompletedCommand[]): string {
  const name = `_${program}`
  const cases = commands.map(({ name: command, options, words, takes }) => {
    const offered = [...options.flatMap(({ names }) => names), '--help', ...words].join(' ')
    const operands = [takes.cluster ? 'clusters' : '', takes.members ? 'members' : ''].join(',')
    return `    ${command}) words="${offered}" valued=" ${valued(options).join(' ')} " operands=${operands} ;;`
  })
  const values = commands.flatMap(({ name: command, options }) =>
    options.flatMap(({ names, metavar }) => {
      const chosen = wordsOf(metavar)
      return chosen.length === 0
        ? []
        : [`    ${names.map((one) => `"${command} ${one}"`).join('|')}) words="${chosen.join(' ')}" ;;`]
    }),
  )
  return `${name}_names() {
  "$first" "\${globals[@]}" completion bash --names "$1" --cluster "$cluster" 2>/dev/null
}
${name}() {
  local rest="\${COMP_LINE:0:$COMP_POINT}" cur="" prev="" word="" first="" command="" cluster="" words="" valued="" operands=""
  local count=0 pending="" globals
  globals=()
  while [[ "$rest" == *[[:space:]]* ]]; do
    word="\${rest%%[[:space:]]*}"
    rest="\${rest#*[[:space:]]}"
    [[ -z "$word" ]] && continue
    prev="$word"
    if [[ -z "$first" ]]; then
      first="$word"
    elif [[ -n "$pending" ]]; then
      [[ "$pending" == global ]] && globals+=("$word")
      pending=""
    elif [[ -z "$command" ]]; then
      case "$word" in
        ${GLOBAL_WITH_VALUE.join('|')}) globals+=("$word") pending=global ;;
        -*) globals+=("$word") ;;
        *)
          command="$word"
          case "$command" in
${cases.join('\n')}
          esac ;;
      esac
    elif [[ "$word" == -* ]]; then
      [[ "$valued" == *" $word "* ]] && pending=option
    else
      count=$((count + 1))
      [[ $count == 1 ]] && cluster="$word"
    fi
  done
  cur="$rest"
  if [[ "$pending" == global ]]; then
    COMPREPLY=($(compgen -f -- "$cur"))
    return
  fi
  [[ -z "$command" ]] && words="${[...commands.map((one) => one.name), ...GLOBAL].join(' ')}"
  if [[ "$pending" == option ]]; then
    words=""
    case "$command $prev" in
${values.join('\n')}
      *" "${MEMBER_OPTIONS.join('|*" "')}) words="$(${name}_names members)" ;;
    esac
  elif [[ -n "$command" && "$cur" != -* ]]; then
    case "$count,$operands" in
      0,clusters,*) words="$words $(${name}_names clusters)" ;;
      0,*) ;;
      *,members) words="$words $(${name}_names members)" ;;
    esac
  fi
  COMPREPLY=($(compgen -W "$words" -- "$cur"))
}
complete -F ${name} ${program}
`
}

function fishScript(program: string, commands: readonly CompletedCommand[]): string {
  const quoted = (text: string): string => `'${text.replaceAll(/[\\']/g, (c) => `\\${c}`)}'`
  const helper = `__${program}_names`
  const lines = commands.flatMap(({ name, summary, options, words, takes }) => {
    const seen = quoted(`__fish_seen_subcommand_from ${name}`)
    const operands = [takes.cluster ? 'clusters' : '-', takes.members ? 'members' : '-']
    return [
      `complete -c ${program} -n __fish_use_subcommand -f -a ${name} -d ${quoted(summary)}`,
      ...(words.length > 0 ? [`complete -c ${program} -n ${seen} -f -a ${quoted(words.join(' '))}`] : []),
      `complete -c ${program} -n ${seen} -f -a ${quoted(`(${helper} ${operands.join(' ')} ${valued(options).join(' ')})`)}`,
      ...options.map((option) => {
        const spelled = option.names.map((one) => (one.startsWith('--') ? `-l ${one.slice(2)}` : `-s ${one.slice(1)}`))
        const value = valueOf(option, `(${helper} members members ${valued(options).join(' ')})`)
        return `complete -c ${program} -n ${seen} ${spelled.join(' ')}${value === null ? '' : value === '' ? ' -r' : ` -x -a ${quoted(value)}`} -d ${quoted(option.help)}`
      }),
    ]
  })
  return `# Names for the operand at the cursor: of the first kind for the first operand, of the second for the others.
# What follows are the options of the command that have values.
function ${helper}
  set -l kinds $argv[1..2]
  set -l valued $argv[3..-1]
  set -l words (commandline -opc)
  set -l globals
  set -l operands
  set -l command
  set -l pending
  for word in $words[2..-1]
    if test -n "$pending"
      test $pending = global; and set -a globals $word
      set pending
    else if test -z "$command"
      switch $word
        case ${GLOBAL_WITH_VALUE.join(' ')}
          set -a globals $word
          set pending global
        case '-*'
          set -a globals $word
        case '*'
          set command $word
      end
    else if string match -q -- '-*' $word
      contains -- $word $valued; and set pending option
    else
      set -a operands $word
    end
  end
  set -l kind $kinds[1]
  set -q operands[1]; and set kind $kinds[2]
  test $kind = -; and return
  $words[1] $globals completion fish --names $kind --cluster "$operands[1]" 2>/dev/null
end
${lines.join('\n')}
complete -c ${program} -n __fish_use_subcommand -s c -l config-file -r -d 'Configuration file or directory'
complete -c ${program} -n __fish_use_subcommand -s d -l dcs-url -x -d 'The store, in place of the configured one'
complete -c ${program} -n __fish_use_subcommand -s k -l insecure -d 'Do not verify certificates of members'
complete -c ${program} -n __fish_use_subcommand -l strict -d 'Exit with 3 when a server refused'
`
}

function valued(options: readonly CompletedOption[]): readonly string[] {
  return options.flatMap(({ names, metavar }) => (metavar === null ? [] : names))
}

/** What fish offers for the value of an option; `null`: it has none. */
function valueOf({ names, metavar }: CompletedOption, members: string): string | null {
  if (metavar === null) return null
  return names.some((name) => MEMBER_OPTIONS.includes(name)) ? members : wordsOf(metavar).join(' ')
}

function wordsOf(metavar: string | null): readonly string[] {
  return metavar !== null && /^\[.*\|.*\]$/.test(metavar) ? metavar.slice(1, -1).split('|') : []
}

import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { ORDERS, testWorld } from './testing/world.ts'

const SHELLS = ['bash', 'zsh', 'fish'] as const
type Shell = (typeof SHELLS)[number]

let folder = ''
const scriptOf = (shell: Shell): string => join(folder, `completion.${shell}`)

/** Scripts of the real command; the program they ask for names is a stand-in that shows how it was asked. */
before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'matriarch-completion-'))
  for (const shell of SHELLS) writeFileSync(scriptOf(shell), (await testWorld({}).run('completion', shell)).out)
  const asked = `#!/bin/sh
case "$*" in
  *"--names clusters"*) echo orders ;;
  "-c x.yml completion "*" --names members --cluster orders") printf 'db1\\ndb2\\n' ;;
  *) echo "asked: $*" >> ${join(folder, 'asked')} ;;
esac
`
  writeFileSync(join(folder, 'patronictl'), asked)
  chmodSync(join(folder, 'patronictl'), 0o755)
})
after(() => rmSync(folder, { recursive: true }))

const isThere = (shell: Shell): boolean => spawnSync(shell, ['-c', 'true']).status === 0

/** What the real shell offers at the end of a line. */
function offered(shell: Shell, line: string): readonly string[] {
  const env = { ...process.env, PATH: `${folder}:${process.env['PATH']}`, HOME: folder, TERM: 'dumb' }
  const run = (code: string): string =>
    execFileSync(shell, [...QUIETLY[shell], '-c', code], { encoding: 'utf8', env, timeout: 60_000 })
  switch (shell) {
    case 'bash': {
      const ask = `source ${scriptOf(shell)}; COMP_LINE='${line}'; COMP_POINT=${line.length}; _patronictl; printf '%s\\n' "\${COMPREPLY[@]}"`
      return run(ask)
        .split('\n')
        .filter((one) => one !== '')
    }
    case 'fish':
      return run(`source ${scriptOf(shell)}; complete -C '${line}'`)
        .split('\n')
        .map((one) => one.split('\t')[0] ?? '')
        .filter((one) => one !== '')
    case 'zsh':
      return run(ZSH_DRIVER(scriptOf(shell), line))
        .split('\n')
        .filter((one) => one !== '')
  }
}

const QUIETLY: Readonly<Record<Shell, readonly string[]>> = { bash: ['--norc'], zsh: ['-f'], fish: ['--no-config'] }

/** zsh completes only at a terminal: another zsh gets one, and writes down what it would add. */
const ZSH_DRIVER = (script: string, line: string): string => `
zmodload zsh/zpty
cat > ${script}.inner <<'END'
PROMPT=
source ${script}
function compadd {
  local -a found
  builtin compadd -A found "$@"
  print -rl -- $found >> ${script}.found
  builtin compadd "$@"
}
function tell { zle expand-or-complete; print done > ${script}.done }
zle -N tell
bindkey '^I' tell
print ready > ${script}.ready
END
rm -f ${script}.found ${script}.done ${script}.ready
zpty -b inner zsh -f -i
zpty -w inner "source ${script}.inner"
repeat 300; do [[ -e ${script}.ready ]] && break; sleep 0.1; done
zpty -w -n inner '${line}'$'\\t'
repeat 300; do [[ -e ${script}.done ]] && break; sleep 0.1; done
zpty -d inner
[[ -e ${script}.found ]] && sort -u ${script}.found
true
`

const CASES: readonly (readonly [title: string, line: string, expected: readonly string[]])[] = [
  ['a command', 'patronictl switc', ['switchover']],
  ['an option of a command', 'patronictl -c x.yml switchover --cand', ['--candidate']],
  ['a word of an option', 'patronictl list -f js', ['json']],
  ['a word of an argument', 'patronictl flush orders sw', ['switchover']],
  ['the name of a cluster', 'patronictl list ord', ['orders']],
  ['the name of a cluster, behind an option with a value', 'patronictl list -f json ord', ['orders']],
  ['the name of a member', 'patronictl -c x.yml restart orders db', ['db1', 'db2']],
  ['a second member', 'patronictl -c x.yml restart orders db1 db2', ['db2']],
  ['a member as the value of an option', 'patronictl -c x.yml switchover orders --candidate db', ['db1', 'db2']],
]

for (const shell of SHELLS)
  test(`1.1 ${shell} completes commands, options, words, clusters and members`, (t) => {
    if (!isThere(shell)) {
      t.skip(`${shell} is not installed`)
      return
    }
    for (const [title, line, expected] of CASES) assert.deepEqual([...offered(shell, line)].sort(), expected, title)
    // Neither an unknown place of a member nor one too many asks for anything.
    assert.deepEqual(offered(shell, 'patronictl list orders db'), [])
  })

test('1.1 the names that scripts ask for come from the configuration and from the store', async () => {
  const world = testWorld({ orders: ORDERS })
  assert.equal((await world.run('completion', 'bash', '--names', 'clusters')).out, 'orders\n')
  const members = ['completion', 'bash', '--names', 'members']
  assert.equal((await world.run(...members, '--cluster', 'orders')).out, 'db1\ndb2\ndb3\n')
  assert.equal((await world.run(...members, '--cluster', '')).out, 'db1\ndb2\ndb3\n')
  world.storeAnswers = 'unknown'
  assert.deepEqual(await world.run(...members), { code: 0, out: '', err: '' })
})

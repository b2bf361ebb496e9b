import assert from 'node:assert/strict'
import { test } from 'node:test'
import { NameSet } from '../../cluster/name-set.ts'
import { planQuorum, type QuorumFacts } from './quorum-plan.ts'
import { afterStep, brokenPromise, type PlanStep, type QuorumState } from './quorum-state.ts'

/** `1(b,c)` */
function counted(text: string): { readonly n: number; readonly names: NameSet } {
  const match = /^(\d+)\(([a-z,]*)\)$/.exec(text)
  assert.ok(match, text)
  return { n: Number(match[1]), names: new NameSet((match[2] ?? '').split(',').filter(Boolean)) }
}

function facts(state: string, active: string, wanted: number, me = 'a', leader = 'a'): QuorumFacts {
  const [key = '', names = '', confirmed = '0'] = state.split(' ')
  const { n: quorum, names: voters } = counted(key)
  const { n: numsync, names: standbys } = counted(names)
  const set = new NameSet(active.split(',').filter(Boolean))
  return { leader, quorum, voters, numsync, standbys, confirmed: Number(confirmed), active: set, wanted, me }
}

function printed(step: PlanStep): string {
  if (step.kind === 'restart') return 'restart'
  const count = step.kind === 'sync' ? step.numsync : step.quorum
  const names = step.kind === 'sync' ? step.standbys : step.voters
  return `${step.kind} ${count}(${names.print()})`
}

const EXAMPLES: readonly (readonly [state: string, active: string, wanted: number, plan: string])[] = [
  ['0() 0() 0', 'b', 1, 'sync 1(b), restart'],
  ['0() 1(b) 1', 'b', 1, 'quorum 0(b)'],
  ['0(b) 1(b) 1', 'b,c', 1, 'quorum 1(b,c), sync 1(b,c)'],
  ['0(b) 1(b) 1', 'b,c', 2, 'sync 2(b,c), quorum 1(b,c)'],
  ['1(b,c) 2(b,c) 2', 'b,c', 2, 'quorum 0(b,c)'],
  ['1(b,c) 1(b,c) 1', 'b,c', 2, 'sync 2(b,c)'],
  ['0(b,c) 2(b,c) 2', 'b,c', 1, 'quorum 1(b,c), sync 1(b,c)'],
  ['1(b,c) 1(b,c) 1', 'b', 1, 'sync 1(b), quorum 0(b)'],
  ['0(b) 1(b) 0', '', 1, 'quorum 0(), sync 0()'],
  ['0(b) 1(b) 0', 'c', 1, 'quorum 0(), sync 1(c), restart'],
  ['0(b) 1(b) 1', 'b,c,d,e', 2, 'sync 2(b,c), quorum 3(b,c,d,e), sync 2(b,c,d,e)'],
  ['2(b,c,d,e) 2(b,c,d,e) 2', 'b,c', 1, 'sync 2(b,c), quorum 1(b,c), sync 1(b,c)'],
  ['0(b,c) 1(b,c) 1', 'b,c', 1, 'quorum 1(b,c)'],
  ['1(b,c) 2(b,d) 1', 'b,d', 1, 'quorum 1(b,d), sync 1(b,d)'],
  ['2(a,b,d) 1(a,b,d) 0', 'b', 1, 'sync 1(b), quorum 0(b)'],
  ['1(a,b,c) 2(a,b,c) 0', 'b,c', 1, 'sync 2(b,c), quorum 1(b,c), sync 1(b,c)'],
]

for (const [state, active, wanted, plan] of EXAMPLES) {
  test(`17.5 ${state} with ${active || 'nobody'} active and ${wanted} wanted: ${plan}`, () => {
    const me = state.includes('(a,b,d)') ? 'c' : state.includes('(a,b,c)') ? 'd' : 'a'
    const planned = planQuorum(facts(state, active, wanted, me, me))
    assert.equal(planned.steps.map(printed).join(', '), plan)
  })
}

test('17.5 a member that was promoted takes the key over with the old leader among the voters', () => {
  const planned = planQuorum(facts('2(b,c,d) 0() 0', '', 1, 'c', 'a'))
  assert.deepEqual(planned.steps.map(printed), ['sync 1(a,b,d)', 'quorum 2(a,b,d)'])
})

test('17.5 an outsider that was promoted asks for one confirmation more', () => {
  const planned = planQuorum(facts('1(b,c) 0() 0', '', 1, 'd', 'a'))
  assert.deepEqual(planned.steps.map(printed), ['sync 2(a,b,c)', 'quorum 1(a,b,c)'])
})

const MEMBERS = ['b', 'c', 'd', 'e']

function* subsets(names: readonly string[]): Generator<NameSet> {
  for (let bits = 0; bits < 2 ** names.length; bits++) yield new NameSet(names.filter((_, i) => bits & (1 << i)))
}

function* anyStates(leaders: readonly string[]): Generator<QuorumState> {
  for (const leader of leaders)
    for (const voters of subsets(MEMBERS.filter((name) => name !== leader)))
      for (const standbys of subsets(MEMBERS))
        for (let quorum = 0; quorum < Math.max(voters.size, 1); quorum++)
          for (let numsync = 0; numsync <= standbys.size; numsync++) yield { leader, quorum, voters, numsync, standbys }
}

/** Those that this program leaves behind wherever it is cut off. */
function* states(): Generator<QuorumState> {
  for (const state of anyStates(['a'])) {
    const { voters, standbys, numsync } = state
    if (!voters.includes(standbys) && !standbys.includes(voters)) continue
    if (numsync < Math.min(standbys.size, 1)) continue
    if (brokenPromise(state, 'a') === null) yield state
  }
}

/** Whether one member could elect somebody who lacks what was acknowledged; a key without voters elects its leader alone. */
function isBroken(state: QuorumState): boolean {
  return brokenPromise(state, 'a') !== null
}

test('17.1 and 17.4 from every state that keeps its promise each step of each plan keeps it, and the goal is reached', () => {
  let checked = 0
  for (const start of states()) {
    for (const active of subsets(MEMBERS)) {
      for (let wanted = 1; wanted <= 3; wanted++) {
        for (let confirmed = 0; confirmed <= start.standbys.and(active).size; confirmed++) {
          checked += 1
          assertConverges(start, active, wanted, confirmed)
        }
      }
    }
  }
  assert.ok(checked > 10_000, `${checked} cases`)
})

test('17.4 a key from a backup of the store promises what nobody keeps: the first step ends that, whatever it says', () => {
  let checked = 0
  for (const start of anyStates(['a'])) {
    if (!isBroken(start)) continue
    for (const active of subsets(MEMBERS)) {
      for (const wanted of [1, 2]) {
        for (const confirmed of new Set([0, Math.min(start.numsync, start.standbys.and(active).size)])) {
          checked += 1
          const { steps } = planQuorum({ ...start, confirmed, active, wanted, me: 'a' })
          const [first] = steps
          assert.ok(first && first.kind !== 'restart', `${labelOf(start, active, wanted, confirmed)}: nothing is done`)
          const state = afterStep(start, first)
          assert.equal(
            brokenPromise(state, 'a'),
            null,
            `${labelOf(start, active, wanted, confirmed)}: ${printed(first)}`,
          )
          assertConverges(state, active, wanted, 0)
        }
      }
    }
  }
  assert.ok(checked > 1000, `${checked} cases`)
})

function labelOf(
  { quorum, voters, numsync, standbys }: QuorumState,
  active: NameSet,
  wanted: number,
  confirmed: number,
) {
  return `${quorum}(${voters.print()}) ${numsync}(${standbys.print()}) ${confirmed} -> ${active.print()} wanted ${wanted}`
}

function assertConverges(start: QuorumState, active: NameSet, wanted: number, confirmed: number): void {
  const label = labelOf(start, active, wanted, confirmed)
  let state = start
  for (let cycle = 0; cycle < 12; cycle++) {
    const c = cycle === 0 ? confirmed : state.standbys.and(active).size
    const plan = planQuorum({ ...state, confirmed: c, active, wanted, me: 'a' })
    for (const step of plan.steps) {
      state = afterStep(state, step)
      assert.equal(brokenPromise(state, 'a'), null, `${label}: after ${printed(step)}`)
      if (state.voters.size > 0)
        assert.ok(state.numsync >= 1, `${label}: commits wait for nobody after ${printed(step)}`)
    }
    if (plan.steps.length === 0 && cycle > 0) break
  }
  const factor = Math.min(wanted, active.size)
  assert.ok(state.standbys.equals(active), `${label}: standbys ${state.standbys.print()}`)
  assert.equal(state.numsync, factor, `${label}: numsync`)
  assert.ok(state.voters.equals(active), `${label}: voters ${state.voters.print()}`)
  assert.equal(state.quorum, active.size - factor, `${label}: quorum`)
}

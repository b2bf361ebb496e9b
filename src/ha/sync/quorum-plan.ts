import { NameSet } from '../../cluster/name-set.ts'
import { brokenPromise, type PlanStep, type QuorumState } from './quorum-state.ts'

export interface QuorumFacts extends QuorumState {
  /** Standbys that have confirmed that commits wait for them. */
  readonly confirmed: number
  /** Replicas that should be in the game. */
  readonly active: NameSet
  readonly wanted: number
  readonly me: string
}

export interface QuorumPlan {
  readonly steps: readonly PlanStep[]
  /** A state was found that nobody should have left behind, or that has no ordinary way out. */
  readonly warning: string | null
}

/**
 * The steps from what is promised now to what should be, each of them safe (spec ha.md 17.4). Where the ordinary rules
 * find no way, everybody who ever was promised anything has to take part until the next cycle.
 */
export function planQuorum(facts: QuorumFacts): QuorumPlan {
  const planner = new Planner(facts)
  try {
    planner.run()
    return { steps: planner.finished(), warning: planner.warning }
  } catch (error) {
    if (!(error instanceof NoWay)) throw error
    return { steps: everybodyTakesPart(facts), warning: error.message }
  }
}

class NoWay extends Error {}

/** Always safe: a commit needs one of them at least, a candidate needs all others. */
function everybodyTakesPart(facts: QuorumFacts): PlanStep[] {
  const { active, wanted, me } = facts
  if (facts.voters.size === 0) return [{ kind: 'sync', numsync: Math.min(wanted, active.size), standbys: active }]
  const all = facts.voters.or(facts.standbys).without([me])
  return [
    { kind: 'quorum', leader: facts.leader, quorum: all.size - 1, voters: all },
    { kind: 'sync', numsync: Math.max(Math.min(wanted, all.size), 1), standbys: all },
  ]
}

/** Order behind every phase: raise numsync before quorum falls, raise quorum before numsync falls. */
class Planner {
  warning: string | null = null
  #state: QuorumState
  #confirmed: number
  readonly #active: NameSet
  readonly #wanted: number
  readonly #me: string
  readonly #steps: PlanStep[] = []
  #ended = false

  constructor(facts: QuorumFacts) {
    const { leader, quorum, voters, standbys } = facts
    this.#state = { leader, quorum, voters, standbys, numsync: Math.min(facts.numsync, standbys.size) }
    this.#confirmed = facts.confirmed
    this.#active = facts.active
    this.#wanted = facts.wanted
    this.#me = facts.me
  }

  run(): void {
    const phases = [
      (): void => this.#takeOver(),
      (): void => this.#assumeConfirmed(),
      (): void => this.#finishInterrupted(),
      (): void => this.#removeGone(),
      (): void => this.#addNew(),
      (): void => this.#adjustFactor(),
    ]
    for (const phase of phases) {
      phase()
      if (this.#ended) return
    }
  }

  /** Neighbours of one kind are one step: nobody could have seen the others. Behind a restart nothing is done. */
  finished(): PlanStep[] {
    const steps: PlanStep[] = []
    for (const step of this.#steps) {
      if (steps.at(-1)?.kind === step.kind) steps.pop()
      steps.push(step)
      if (step.kind === 'restart') break
    }
    return steps
  }

  #setSync(numsync: number, standbys: NameSet): void {
    if (numsync < 0 || numsync > standbys.size) throw new NoWay(`numsync ${numsync} of ${standbys.size} standbys`)
    this.#apply({ ...this.#state, numsync, standbys }, { kind: 'sync', numsync, standbys })
  }

  /** @param adjust unconfirmed standbys do not count yet: a candidate needs as many votes more */
  #setQuorum(
    quorum: number,
    voters: NameSet,
    { adjust = true, leader }: { adjust?: boolean; leader?: string } = {},
  ): void {
    if (quorum < 0 || (quorum > 0 && quorum >= voters.size))
      throw new NoWay(`quorum ${quorum} of ${voters.size} voters`)
    const now = this.#state
    const next = { leader: leader ?? now.leader, quorum, voters }
    if (leader === undefined) {
      if (this.#confirmed === 0 && now.voters.size === 0) Object.assign(next, { quorum: 0, voters: new NameSet() })
      else if (adjust) next.quorum += Math.max(now.numsync - this.#confirmed, 0)
    }
    if (next.leader === now.leader && next.quorum === now.quorum && next.voters.equals(now.voters)) {
      if (now.voters.size > 0) return
      this.#steps.push({ kind: 'restart' })
      this.#ended = true
      return
    }
    this.#apply({ ...now, ...next }, { kind: 'quorum', ...next })
  }

  #apply(state: QuorumState, step: PlanStep): void {
    if (this.#ended) return
    const broken = brokenPromise(state, this.#me)
    if (broken !== null) throw new NoWay(broken)
    this.#state = state
    this.#steps.push(step)
  }

  /** Phase 0: somebody else wrote the key before, or what was found does not hold together. */
  #takeOver(): void {
    const { leader, quorum, voters, standbys } = this.#state
    try {
      if (leader.toLowerCase() === this.#me.toLowerCase()) {
        const broken = brokenPromise(this.#state, this.#me)
        if (broken !== null) throw new NoWay(broken)
        return
      }
      const everybody = voters.without([this.#me]).with([leader])
      if (standbys.size === 0) this.#setSync(everybody.size - quorum, everybody)
      this.#setQuorum(quorum, everybody, { leader: this.#me })
      if (this.#state.standbys.and(this.#active).size === 0) this.#ended = true
    } catch (error) {
      if (!(error instanceof NoWay)) throw error
      this.warning = error.message
      this.#promiseWhatIsKept()
    }
  }

  /**
   * The key says again what the names in PostgreSQL keep; it is written, however little differs. Where commits wait for
   * nobody, nobody may take over, and the rest is for the next cycle.
   */
  #promiseWhatIsKept(): void {
    const { standbys, numsync } = this.#state
    this.#state = { ...this.#state, leader: this.#me, quorum: 0, voters: new NameSet() }
    if (numsync === 0) {
      this.#steps.push({ kind: 'quorum', leader: this.#me, quorum: 0, voters: new NameSet() })
      this.#ended = true
      return
    }
    this.#confirmed = Math.max(this.#confirmed, 1)
    this.#setQuorum(standbys.size - numsync, standbys)
  }

  /** Phase 1: right after a restart nothing is confirmed yet, but what `sync` promises is known. */
  #assumeConfirmed(): void {
    const { standbys, voters, quorum } = this.#state
    const both = standbys.and(this.#active).size
    if (this.#confirmed === 0 && both > 0) this.#confirmed = Math.max(Math.min(both, voters.size - quorum), 0)
  }

  /** Phase 2: the two sets differ because a change was interrupted between its steps. */
  #finishInterrupted(): void {
    const strictlyWithin = (a: NameSet, b: NameSet): boolean => b.includes(a) && a.size < b.size
    if (strictlyWithin(this.#state.standbys, this.#state.voters)) this.#finishInterruptedInKey()
    else if (strictlyWithin(this.#state.voters, this.#state.standbys)) this.#finishInterruptedInPostgres()
    const { standbys, voters, quorum, numsync } = this.#state
    if (this.#ended) return
    if (!standbys.equals(voters))
      throw new NoWay(`voters [${voters.print()}] and standbys [${standbys.print()}] differ`)
    if (quorum + Math.min(numsync, this.#confirmed) > voters.size) {
      if (numsync > this.#wanted) this.#setSync(Math.max(this.#wanted, voters.size - quorum), standbys)
      else this.#setQuorum(standbys.size - numsync, voters)
    } else if (numsync === this.#wanted && numsync > this.#confirmed && quorum + numsync > voters.size) {
      this.#setQuorum(standbys.size - numsync, voters)
    }
  }

  #finishInterruptedInKey(): void {
    const { standbys, voters, numsync } = this.#state
    const gone = voters.without(standbys.or(this.#active))
    if (gone.size > 0) {
      const kept = voters.without(gone)
      this.#setQuorum(voters.size - gone.size - numsync, kept, { adjust: this.#active.includes(standbys) })
    }
    const added = this.#state.voters.and(this.#active).without(standbys)
    if (added.size > 0) this.#setSync(this.#state.numsync, standbys.or(added))
  }

  #finishInterruptedInPostgres(): void {
    const drop = (gone: NameSet): void => {
      const { standbys, numsync } = this.#state
      this.#setSync(Math.min(numsync, standbys.size - gone.size), standbys.without(gone))
    }
    const { standbys, voters } = this.#state
    const dead = standbys.without(this.#active)
    const rest = standbys.without(dead)
    if (dead.size > 0 && rest.size > 0 && (voters.size === 0 || rest.and(voters).size > 0)) drop(dead)
    const added = this.#state.standbys.without(voters).and(this.#active)
    if (added.size > 0) {
      const all = voters.or(added)
      this.#setQuorum(all.size - this.#state.numsync, all)
    }
    const extra = this.#state.standbys.without(this.#state.voters)
    if (!this.#ended && extra.size > 0) drop(extra)
  }

  /** Phase 3. */
  #removeGone(): void {
    const { standbys } = this.#state
    let gone = standbys.without(this.#active)
    if (gone.size === 0) return
    if (gone.size === standbys.size) {
      this.#setQuorum(0, new NameSet(), { adjust: false })
      this.#setSync(0, new NameSet())
      return
    }
    const { quorum, voters, numsync } = this.#state
    if (quorum > 0) {
      const first = new NameSet(gone.names().toReversed().slice(0, quorum))
      const left = standbys.without(first)
      this.#setSync(Math.min(Math.max(this.#wanted, numsync), left.size), left)
      gone = gone.and(left)
      const kept = voters.without(first)
      this.#setQuorum(kept.size - this.#state.numsync, kept, { adjust: gone.size === 0 })
    }
    if (gone.size === 0 || this.#ended) return
    if (this.#state.quorum !== 0) throw new NoWay(`quorum ${this.#state.quorum} with members gone`)
    this.#removeWithoutQuorum(gone)
  }

  /** Every voter must agree already, so commits have waited for those that are gone: drop them from both. */
  #removeWithoutQuorum(gone: NameSet): void {
    const numsync = this.#state.numsync - gone.size
    const standbys = this.#state.standbys.without(gone)
    const voters = this.#state.voters.without(gone)
    const spare = numsync - Math.min(this.#wanted, standbys.size)
    this.#setQuorum(spare === 0 ? 0 : Math.min(spare, voters.size - 1), voters, { adjust: false })
    this.#setSync(numsync, standbys)
  }

  /** Phase 4. */
  #addNew(): void {
    let added = this.#active.without(this.#state.standbys)
    if (added.size === 0) return
    const factor = Math.min(this.#wanted, this.#state.standbys.or(added).size)
    const increase = factor - this.#state.numsync
    if (increase > 0) {
      const { standbys } = this.#state
      const first = standbys.size > 0 ? new NameSet(added.names().slice(0, increase)) : added
      const raised = this.#state.numsync + (standbys.size > 0 ? first.size : increase)
      this.#setSync(raised, standbys.or(first))
      const voters = this.#state.voters.or(first)
      this.#setQuorum(voters.size - raised, voters)
      added = added.without(this.#state.standbys)
    }
    if (added.size === 0 || this.#ended) return
    const numsync = Math.min(factor, Math.max(this.#state.numsync, factor))
    const voters = this.#state.voters.or(added)
    this.#setQuorum(voters.size - Math.min(numsync, this.#state.numsync), voters, { adjust: numsync > this.#confirmed })
    if (this.#ended) return
    const standbys = this.#state.standbys.or(added)
    this.#setSync(numsync, standbys)
  }

  /** Phase 5. */
  #adjustFactor(): void {
    const { standbys, voters, quorum, numsync } = this.#state
    const difference = Math.min(this.#wanted, standbys.size) - numsync
    if (difference > 0) {
      this.#setSync(numsync + difference, standbys)
      this.#setQuorum(voters.size - this.#state.numsync, voters)
    } else if (difference < 0) {
      const target = voters.size - numsync - difference
      if (quorum < target)
        this.#setQuorum(target, voters, { adjust: quorum - difference < voters.size && this.#wanted > this.#confirmed })
      this.#setSync(numsync + difference, standbys)
    }
  }
}

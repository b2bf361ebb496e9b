/** An error that a Raft may have, as a change of the real code: in `file`, each of `edits` replaces one text by another. */
export interface Plant {
  readonly name: string
  /** Compiled module below the root of the sources. */
  readonly file: string
  /** The first of each pair must stand in the file exactly once. */
  readonly edits: readonly (readonly [text: string, instead: string])[]
  /** The simulation finds it within so many seeds. */
  readonly seeds: number
}

const CORE = 'src/raft/core'
const KV = 'src/raft/kv'
const REPLICA = 'src/raft/replica/replica.js'

/** Errors that were made in real implementations, or that one line of ours holds off. */
export const PLANTS: readonly Plant[] = [
  // Elections.
  {
    name: 'two votes in one term',
    file: `${CORE}/election.js`,
    edits: [['const free = vote === from || (vote === null && state.leader === null)', 'const free = true']],
    seeds: 60,
  },
  {
    name: 'a vote for who has a shorter log',
    file: `${CORE}/log.js`,
    edits: [['lastTerm > this.lastTerm || (lastTerm === this.lastTerm && lastIndex >= this.lastIndex)', 'true']],
    seeds: 60,
  },
  {
    name: 'a vote for who has more entries of an older term',
    file: `${CORE}/log.js`,
    edits: [
      [
        'lastTerm > this.lastTerm || (lastTerm === this.lastTerm && lastIndex >= this.lastIndex)',
        'lastIndex >= this.lastIndex',
      ],
    ],
    seeds: 60,
  },
  {
    name: 'no question before an election',
    file: `${CORE}/raft.js`,
    edits: [['preCampaign(state)', 'campaign(state, false)']],
    seeds: 60,
  },
  {
    name: 'a leader that hears nobody goes on leading',
    file: `${CORE}/raft.js`,
    edits: [['if (!this.#hasQuorum(state.log.membership)) {', 'if (false) {']],
    seeds: 60,
  },
  // Replication.
  {
    name: 'an append is taken without looking at the entry before it',
    file: `${CORE}/following.js`,
    edits: [['!log.matches(prevIndex, prevTerm)', 'prevIndex > log.lastIndex']],
    seeds: 60,
  },
  {
    name: 'a heartbeat names what the follower may not have',
    file: `${CORE}/heartbeat.js`,
    edits: [['Math.min(match, state.log.committed)', 'state.log.committed']],
    seeds: 60,
  },
  {
    name: 'what was replaced while it was written counts as written',
    file: `${CORE}/log.js`,
    edits: [['last.index > this.#stable && this.matches(last.index, last.term)', 'last.index > this.#stable']],
    seeds: 60,
  },
  // Membership.
  {
    name: 'learners count for the majority',
    file: `${CORE}/replication.js`,
    edits: [
      ['const { voters } = log.membership', 'const voters = [...log.membership.voters, ...log.membership.learners]'],
    ],
    seeds: 60,
  },
  {
    name: 'two changes of the membership at once',
    file: `${CORE}/raft.js`,
    edits: [['log.membershipIndex > log.committed || log.term(log.committed) !== hardState.term', 'false']],
    seeds: 60,
  },
  // Reads.
  {
    name: 'a leader answers reads without asking whether it still leads',
    file: `${CORE}/reads.js`,
    edits: [
      [
        'state.pendingReads.push({ read, from, index: log.committed, round: state.round + 1 })',
        'answerRead(state, from, read, log.committed)',
      ],
    ],
    seeds: 60,
  },
  // Keys, sessions and leases.
  {
    name: 'a request that comes twice is carried out twice',
    file: `${KV}/sessions.js`,
    edits: [["session.results.get(request) ?? (request < session.keptFrom ? 'unknown' : 'new')", "'new'"]],
    seeds: 60,
  },
  {
    name: 'a request whose result is no longer kept is carried out again',
    file: `${KV}/sessions.js`,
    edits: [["(request < session.keptFrom ? 'unknown' : 'new')", "'new'"]],
    seeds: 60,
  },
  {
    name: 'a lease ends although it was renewed meanwhile',
    file: `${KV}/key-values.js`,
    edits: [['this.#leases.get(lease)?.renewal !== renewal', '!this.#leases.has(lease)']],
    seeds: 60,
  },
  {
    name: 'a leader that has just started believes leases to be over',
    file: REPLICA,
    edits: [['this.#leases.look(this.#kvs.leases, options.now())', 'this.#leases.look(this.#kvs.leases, 0)']],
    seeds: 60,
  },
]

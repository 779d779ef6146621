/** Votes, logs, commits, members and snapshots of consensus. Many are known holes of implementations (test/raft/holes.test.ts). */
import { bug, type PlantedBug, SNAPSHOT_FAULTS } from './bug.ts'

export const CONSENSUS: readonly PlantedBug[] = [
  bug(
    'a vote leaves before it is durable',
    'raft',
    'raft/voting.ts',
    "node.sendLater(from, { type: 'vote-reply', term: node.term, granted })",
    "node.send(from, { type: 'vote-reply', term: node.term, granted })"
  ),
  bug(
    'a voter votes for everybody',
    'raft',
    'raft/voting.ts',
    'return node.votedFor === candidate || (node.votedFor === undefined && node.termLeader === undefined)',
    'return candidate.length > 0 || node.votedFor === candidate',
    {
      edits: [
        {
          file: 'src/raft/durability.ts',
          find: "invariant(this.votedFor === undefined || this.votedFor === candidate, 'one vote a term')",
          replace: ''
        }
      ]
    }
  ),
  bug(
    'candidates with an old log get votes',
    'raft',
    'raft/log.ts',
    'return lastTerm > this.lastTerm || (lastTerm === this.lastTerm && lastIndex >= this.lastIndex)',
    'return lastTerm >= 0 && lastIndex >= 0'
  ),
  bug(
    'logs are compared by length before term',
    'raft',
    'raft/log.ts',
    'return lastTerm > this.lastTerm || (lastTerm === this.lastTerm && lastIndex >= this.lastIndex)',
    'return lastIndex > this.lastIndex || (lastIndex === this.lastIndex && lastTerm >= this.lastTerm)'
  ),
  bug(
    'a new leader drops what has not committed, as far as it knows',
    'raft',
    'raft/node.ts',
    'this.failedRounds = 0\n    this.termLeader = this.self\n',
    'this.failedRounds = 0\n    this.termLeader = this.self\n    if (this.log.lastIndex > this.log.commit) this.truncate(this.log.commit + 1)\n',
    { only: ['M1', 'N5', 'P1'] }
  ),
  bug(
    'half of the voters are a majority',
    'raft',
    'raft/quorum.ts',
    'Math.floor(voters / 2) + 1',
    'Math.ceil(voters / 2)',
    { nodes: 4 }
  ),
  bug(
    'a leader reads as if it knew what had committed before its first entry',
    'raft',
    'raft/leader.ts',
    'Math.max(this.#node.log.commit, this.#firstIndex)',
    'this.#node.log.commit'
  ),
  bug(
    'the own vote counts before it is durable',
    'raft',
    'raft/candidate.ts',
    'if (!this.answers.has(this.node.self) || !this.won) return',
    'this.count(this.node.self, true)\n    if (!this.won) return',
    {
      edits: [
        {
          file: 'src/raft/node.ts',
          find: "invariant(this.votedFor === this.self && this.disk.hardStateDurable, 'the own vote is durable before it elects')",
          replace: ''
        }
      ]
    }
  ),
  bug(
    'stepping down forgets the vote',
    'raft',
    'raft/node.ts',
    "    if (this.role.name !== 'follower') {\n      const before = this.role",
    "    if (this.role.name !== 'follower') {\n      this.disk.votedFor = undefined\n      const before = this.role"
  ),
  bug(
    'the vote is not stored',
    'raft',
    'replica/durable.ts',
    'encodeCbor([state.term, state.votedFor ?? null])',
    'encodeCbor([state.term, null])'
  ),
  bug(
    'a pre-vote raises the term',
    'raft',
    'raft/voting.ts',
    '  const answer = (granted: boolean): void =>',
    "  if (request.nextTerm > node.term) node.becomeFollower(request.nextTerm, undefined, 'asked', now)\n  const answer = (granted: boolean): void =>"
  ),
  bug(
    'an offered pre-vote counts while the leader is heard',
    'raft',
    'raft/offers.ts',
    "if (role.name === 'follower') (this.#made ??= new Map()).set(from, offer)",
    "if (role.name === 'follower') {\n      ;(this.#made ??= new Map()).set(from, offer)\n      node.campaign('it was offered a vote', now)\n    }"
  ),
  bug(
    'who hears its leader offers its vote to the heir',
    'raft',
    'raft/follower.ts',
    'this.#mayOffer = message.heir > 0 && this.#node.settings.staggered\n',
    'this.#mayOffer = message.heir > 0 && this.#node.settings.staggered\n      this.#speakUp(true)\n'
  ),
  bug(
    'entries are acknowledged before they are durable',
    'raft',
    'raft/follower.ts',
    "node.sendLater(from, { type: 'append-accepted', term, match })",
    "node.send(from, { type: 'append-accepted', term, match })"
  ),
  bug(
    'entries of earlier terms are committed by counting',
    'raft',
    'raft/leader.ts',
    'if (index <= log.commit || log.termAt(index) !== node.term) return',
    'if (index <= log.commit) return'
  ),
  bug(
    'what was sent counts as stored',
    'raft',
    'raft/replication.ts',
    'id === this.#node.self ? this.#node.log.stable : (this.#progress.get(id)?.match ?? 0)',
    'id === this.#node.self ? this.#node.log.stable : (this.#progress.get(id)?.next ?? 1) - 1'
  ),
  bug(
    'a leader counts itself before its disk has the entry',
    'raft',
    'raft/replication.ts',
    'id === this.#node.self ? this.#node.log.stable :',
    'id === this.#node.self ? this.#node.log.lastIndex :'
  ),
  // Alone this changes nothing: a leader tells of no commit that it does not know to be agreed with this very follower.
  bug(
    'a follower commits what it holds, agreed or not',
    'raft',
    'raft/follower.ts',
    'this.#node.commitTo(Math.min(this.#leaderCommit, this.#match))',
    'this.#node.commitTo(Math.min(this.#leaderCommit, this.#node.log.lastIndex))',
    {
      // By these the entries themselves differ before any config does.
      only: ['N5', 'P1'],
      edits: [
        {
          file: 'src/raft/replication.ts',
          find: 'const commit = Math.min(peer.match, log.commit)',
          replace: 'const commit = log.commit'
        }
      ]
    }
  ),
  bug(
    'an append is taken wherever it lands',
    'raft',
    'raft/follower.ts',
    'if (node.log.termAt(prevIndex) !== prevTerm) {',
    'if (node.log.termAt(prevIndex) === undefined) {'
  ),
  // Alone this changes nothing: the probe that is accepted holds the first entry that differs, and what follows it is cut.
  // It does as soon as probes are empty, which is what many implementations send, and rightly.
  bug(
    'what an append does not cover is acknowledged as well',
    'raft',
    'raft/follower.ts',
    'const match = prevIndex + entries.length',
    'const match = node.log.lastIndex',
    {
      edits: [
        {
          file: 'src/raft/replication.ts',
          find: 'const append = this.#append(peer.next, false)',
          replace: "const append = this.#append(peer.next, peer.state === 'probe')"
        }
      ]
    }
  ),
  bug(
    'a confirmed write counts for the entry that replaced it',
    'raft',
    'raft/node.ts',
    '    this.disk.writes.truncate(index - 1)\n',
    ''
  ),
  bug(
    'a rejection is not followed back',
    'raft',
    'raft/progress.ts',
    'this.next = Math.max(this.match + 1, Math.min(prevIndex, agreeAt + 1))',
    'this.next = prevIndex + 1'
  ),
  bug(
    'a failed round is the last one',
    'raft',
    'raft/campaign-delay.ts',
    '  const round = ROUND_STEPS',
    '  if (node.failedRounds > 0) return 1e9\n  const round = ROUND_STEPS'
  ),
  bug(
    'a leader without a quorum stays in office',
    'raft',
    'raft/settings.ts',
    'checkQuorum: init.checkQuorum ?? true',
    'checkQuorum: init.checkQuorum ?? false'
  ),
  bug(
    'reads are not confirmed by a quorum',
    'raft',
    'raft/leader.ts',
    'if (awaited === undefined || jointValue(this.#node.membership, this.#replication.ackedSeqOf) < awaited) return',
    'if (awaited === undefined) return'
  ),
  bug(
    'the first entry does not carry the config',
    'raft',
    'raft/leader.ts',
    'log.lastIndex === 0 ? settings.firstEntryData : NO_DATA',
    'NO_DATA'
  ),
  bug(
    'a snapshot is acknowledged before it is durable',
    'raft',
    'raft/follower.ts',
    "node.sendLater(leader, { type: 'append-accepted', term: node.term, match: log.commit })",
    "node.send(leader, { type: 'append-accepted', term: node.term, match: log.commit })",
    { only: SNAPSHOT_FAULTS }
  ),
  bug(
    'a snapshot does not bring its members',
    'raft',
    'raft/node.ts',
    'this.configurations.restore(snapshot.membership, snapshot.membershipIndex)',
    '',
    { only: SNAPSHOT_FAULTS }
  ),
  bug(
    'a log that contradicts a snapshot stays',
    'raft',
    'raft/follower.ts',
    'else node.replaceLog(snapshot)',
    'else node.commitTo(Math.min(snapshot.index, log.lastIndex))',
    { only: SNAPSHOT_FAULTS }
  ),
  bug(
    'more is cut than a snapshot covers',
    'raft',
    'raft/snapshots.ts',
    'disk.compacted(cut)',
    'disk.compacted(log.commit)',
    { only: SNAPSHOT_FAULTS }
  ),
  bug(
    'a leader beats without a pause',
    'raft',
    'raft/leader.ts',
    'this.#heartbeatAt = this.#alone ? Infinity : now + this.#node.settings.timing.heartbeatMs',
    'this.#heartbeatAt = this.#alone ? Infinity : now + 2'
  ),
  bug(
    'a follower commits what it has yet to get',
    'raft',
    'raft/follower.ts',
    'this.#node.commitTo(Math.min(this.#leaderCommit, this.#match))',
    'this.#node.commitTo(this.#leaderCommit)',
    {
      edits: [
        {
          file: 'src/raft/replication.ts',
          find: 'const commit = Math.min(peer.match, log.commit)',
          replace: 'const commit = log.commit'
        },
        {
          file: 'src/raft/log.ts',
          find: 'invariant(index <= this.lastIndex, () => `commit of ${index} in a log of ${this.lastIndex}`)',
          replace: ''
        }
      ]
    }
  ),
  bug(
    'the commit index goes where the leader says, back too',
    'raft',
    'raft/log.ts',
    'if (index <= this.commit) return false',
    'if (index === this.commit || index < this.base.index) return false'
  ),
  bug(
    'a term that is over is followed',
    'raft',
    'raft/receive.ts',
    'if (message.term < node.term) {\n    // The old',
    'if (message.term < 0) {\n    // The old',
    {
      edits: [
        {
          file: 'src/raft/node.ts',
          find: 'invariant(term >= this.term, () => `the term goes from ${this.term} to ${term}`)\n    if (term > this.term)',
          replace: 'if (term !== this.term)'
        },
        {
          file: 'src/raft/durability.ts',
          find: 'invariant(term > this.term, () => `term ${term} follows ${this.term}`)',
          replace: ''
        }
      ]
    }
  ),
  bug(
    'a leader puts a command in the place of one that has not committed',
    'raft',
    'raft/node.ts',
    'const entry: Entry = { index: this.log.lastIndex + 1',
    "if (type === 'command' && this.log.lastIndex > this.log.commit) this.truncate(this.log.lastIndex)\n    const entry: Entry = { index: this.log.lastIndex + 1"
  ),
  bug(
    'a learner campaigns',
    'raft',
    'raft/configuration.ts',
    '(membership.voters.includes(id) || membership.outgoing.includes(id))',
    '(membership.voters.includes(id) || membership.outgoing.includes(id) || membership.learners.includes(id))'
  ),
  bug(
    'a candidate that is started again asks in its old term, and may have led it',
    'raft',
    'raft/node.ts',
    'this.#enterTerm(this.term + 1, this.self)',
    'if (this.votedFor !== this.self) this.#enterTerm(this.term + 1, this.self)',
    {
      edits: [
        {
          file: 'src/raft/node.ts',
          find: 'invariant(this.termLeader === undefined, () => `${this.termLeader} leads term ${this.term} already`)',
          replace: ''
        },
        {
          file: 'src/raft/candidate.ts',
          find: '    this.askAll(this.#patron)',
          replace:
            '    if (this.node.disk.hardStateDurable) this.count(this.node.self, true)\n    this.askAll(this.#patron)'
        }
      ]
    }
  ),
  bug(
    'an office and a vote go to a target that lacks the end of the log',
    'raft',
    'raft/succession.ts',
    ' && peer.match === log.lastIndex',
    ''
  ),
  bug(
    'the vote of who hands over leaves before it is durable',
    'raft',
    'raft/succession.ts',
    "node.sendLater(heir, { type: 'vote-reply'",
    "node.send(heir, { type: 'vote-reply'"
  ),
  bug(
    'members change while a change is under way',
    'raft',
    'raft/leader.ts',
    'if (isJoint(membership) || configurations.index > log.commit) {',
    'if (isJoint(membership) && configurations.index > log.commit) {'
  ),
  bug(
    'voters change at once, without a joint configuration',
    'raft',
    'raft/configuration.ts',
    'return votersChange ? enterJoint(from, changes, true) : simpleChange(from, changes)',
    'return votersChange && from.voters.length === 0 ? enterJoint(from, changes, true) : simpleChange(from, changes)',
    {
      edits: [
        {
          file: 'src/raft/configuration.ts',
          find: "if (changed.length > 1) return refuse('more than one voter changed without entering joint config')",
          replace: "if (changed.length > 99) return refuse('more than one voter changed without entering joint config')"
        }
      ]
    }
  ),
  bug(
    'what is on disk is applied, agreed or not',
    'raft',
    'raft/node.ts',
    'const end = Math.min(log.commit, log.stable)',
    'const end = log.stable',
    { only: SNAPSHOT_FAULTS }
  )
]

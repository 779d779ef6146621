/**
 * Bugs on purpose: each is a small change of the shipped code, such as somebody might make, that a simulator worth its name
 * has to find. Many are the known holes of Raft implementations (test/raft/holes.test.ts has their numbers).
 *
 * A patch names a text that must stand in the file exactly once: when the code changes, the patch says so instead of
 * planting nothing.
 */
export interface Edit {
  readonly file: string
  readonly find: string
  readonly replace: string
}

export interface PlantedBug {
  readonly name: string
  readonly room:
    'raft' | 'formation' | 'storage' | 'replica' | 'membership' | 'identity' | 'replicated-config' | 'discovery'
  readonly edits: readonly Edit[]
  /** Draw only these faults: where a bug needs a rare mixture, the search is told the kinds, never the moment. */
  readonly only?: readonly string[]
  readonly nodes?: number
}

const bug = (
  name: string,
  room: PlantedBug['room'],
  file: string,
  find: string,
  replace: string,
  more: Partial<PlantedBug> = {}
): PlantedBug => ({
  name,
  room,
  edits: [{ file: `src/${file}`, find, replace }, ...(more.edits ?? [])],
  ...without(more)
})

const without = ({ edits: _edits, ...rest }: Partial<PlantedBug>): Partial<PlantedBug> => rest

/** Logs are cut early, and somebody is away for long enough to need what was cut. */
const SNAPSHOT_FAULTS = ['D9', 'N5', 'P1', 'P4', 'O11', 'M1', 'D7']

export const PLANTED: readonly PlantedBug[] = [
  // ── Raft: votes ───────────────────────────────────────────────────────────────────────────────────────────────────
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
    'half of the voters are a majority',
    'raft',
    'raft/quorum.ts',
    'Math.floor(voters / 2) + 1',
    'Math.ceil(voters / 2)',
    { nodes: 4 }
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
  // ── Raft: log and commit ──────────────────────────────────────────────────────────────────────────────────────────
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
  // ── Raft: office and reads ────────────────────────────────────────────────────────────────────────────────────────
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
    'a read is answered before its index is applied',
    'replica',
    'replica/requests.ts',
    'if (readIndex !== undefined && readIndex <= index)',
    'if (readIndex !== undefined)'
  ),
  bug(
    'the first entry does not carry the config',
    'raft',
    'raft/leader.ts',
    'log.lastIndex === 0 ? settings.firstEntryData : NO_DATA',
    'NO_DATA'
  ),
  // ── Formation ─────────────────────────────────────────────────────────────────────────────────────────────────────
  bug(
    'a founding vote leaves before it is durable',
    'formation',
    'formation/election.ts',
    "return step.sendAfterSaved(from, { type: 'vote', term })",
    "return step.send(from, { type: 'vote', term })"
  ),
  bug(
    'a founder votes twice in a term',
    'formation',
    'formation/election.ts',
    'if (term === state.term && !outdated && (state.votedFor === undefined || state.votedFor === from)) {\n    if (state.votedFor === undefined) step.save',
    'if (term === state.term && !outdated) {\n    if (state.votedFor !== from) step.save'
  ),
  bug(
    'a founding set is signed before it is durable',
    'formation',
    'formation/agreement.ts',
    'if (own.asked || own.write > durableWrite || state.accepted === undefined) return',
    'if (own.asked || state.accepted === undefined) return'
  ),
  bug(
    'the name of the cluster hangs on the term of its certificate',
    'identity',
    'identity/certificate.ts',
    'certificateBody(genesis, generation, NO_TERM, certificate.set)',
    'certificateBody(genesis, generation, certificate.term, certificate.set)'
  ),
  bug(
    'a fresh set is proposed although one was accepted',
    'formation',
    'formation/election.ts',
    'if (core.state.accepted !== undefined) return core.state.accepted.set',
    'if (NO_SET !== undefined) return NO_SET',
    {
      edits: [
        {
          file: 'src/formation/election.ts',
          find: 'export function onVote(',
          replace:
            'const NO_SET: FoundingSet | undefined = undefined as FoundingSet | undefined\n\nexport function onVote('
        }
      ]
    }
  ),
  // Either half alone is only slower: whoever resends needs no further campaign, and a further campaign asks everybody again.
  bug(
    'what was lost during founding is said once',
    'formation',
    'formation/step.ts',
    'for (const founder of step.core.founders) ask(step, founder)',
    '',
    {
      edits: [
        {
          file: 'src/formation/pacing.ts',
          find: 'campaignAt: step.now + settings.campaignTimeoutMs * widening(step.core) + campaignDelayMs(step.core),',
          replace: 'campaignAt: settings.campaignTimeoutMs < 0 ? step.now + campaignDelayMs(step.core) : undefined,'
        }
      ]
    }
  ),
  // ── Storage and replica ───────────────────────────────────────────────────────────────────────────────────────────
  bug(
    'damage passes for a torn tail',
    'storage',
    'storage/wal/recover.ts',
    'if (damage !== undefined) throw new StorageCorruptError(file.path, at, damage)',
    ''
  ),
  bug(
    'the checksum of a body is not compared',
    'storage',
    'storage/wal/format.ts',
    'return crc32(body) === header.bodyCrc ? body : undefined',
    'return body'
  ),
  bug(
    "another machine's disk is believed",
    'storage',
    'storage/owner.ts',
    'export function checkSameOwner(file: string, expected: StoreOwner, found: StoreOwner): void {',
    "export function checkSameOwner(file: string, expected: StoreOwner, found: StoreOwner): void {\n  if (file !== '') return",
    {
      edits: [
        {
          file: 'src/storage/wal/recover.ts',
          find: 'if (!equalBytes(header.ownerTag, this.#tag)) {',
          replace: 'if (header.ownerTag.byteLength === 0) {'
        }
      ]
    }
  ),
  bug(
    'nothing waits for the disk',
    'replica',
    'replica/outbox.ts',
    'if (write.owner === owner && write.inner <= inner) return write.id',
    ''
  ),
  bug(
    'one confirmed write confirms all',
    'replica',
    'replica/outbox.ts',
    'while (this.#open.length > 0 && this.#open[0]!.id <= id) {',
    'while (this.#open.length > 0) {'
  ),
  bug(
    'a request that is tried again is applied again',
    'replicated-config',
    'replicated-config/state.ts',
    'if (before !== undefined) return',
    'if (before !== undefined && state.current.version < 0) return'
  ),
  // ── Snapshots ─────────────────────────────────────────────────────────────────────────────────────────────────────
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
    'answered requests are forgotten with a snapshot',
    'replicated-config',
    'replicated-config/snapshot.ts',
    "for (const item of f.array('answers', ANSWERS_MAX)) answered = answered.add(decodeAnswer(item), ANSWERS_MAX)",
    "for (const item of f.array('answers', ANSWERS_MAX)) if (item === null) answered = answered.add(decodeAnswer(item), ANSWERS_MAX)",
    { only: SNAPSHOT_FAULTS }
  ),
  bug(
    'who ever was a member is forgotten with a snapshot',
    'replica',
    'replica/state-machine.ts',
    'this.#members.restore(snapshot)',
    '',
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
    'a write on top of an older version overwrites what came between',
    'replicated-config',
    'replicated-config/state.ts',
    'if (command.ifVersion !== undefined && command.ifVersion !== actual) {',
    'if (command.ifVersion !== undefined && command.ifVersion > actual) {'
  ),
  bug(
    'a conflict names the version that was expected',
    'replicated-config',
    'replicated-config/state.ts',
    "return { type: 'conflict', expected: command.ifVersion, actual }",
    "return { type: 'conflict', expected: command.ifVersion, actual: command.ifVersion }"
  ),
  // ── Credentials, and what is said by whom ─────────────────────────────────────────────────────────────────────────
  bug(
    'a join token is good for everybody',
    'membership',
    'membership/redemptions.ts',
    "if (peerIds.length >= uses) return { state, result: { type: 'used-up', by: peerIds } }",
    '',
    { only: ['B4', 'P1', 'N5'] }
  ),
  bug(
    'whoever claimed a seat before founding is taken in, with a copied token too',
    'replica',
    'replica/guests.ts',
    "return { type: this.#isTaken(claim) ? 'no' : 'take-in' }",
    "return { type: 'take-in' }",
    {
      only: ['O3', 'N5'],
      edits: [
        {
          file: 'src/replica/guests.ts',
          find: 'if (claim !== undefined && this.#isTaken(claim)) {',
          replace: "if (claim !== undefined && peerId === '') {"
        }
      ]
    }
  ),
  bug(
    'who was removed is heard as before, and goes on campaigning',
    'replica',
    'replica/fences.ts',
    'return this.isRemoved(incarnation) && this.#around.raftStatus()?.leader !== incarnation',
    "return this.isRemoved(incarnation) && incarnation === ''",
    {
      only: ['O11', 'N5', 'P1', 'P2', 'N6'],
      edits: [
        {
          file: 'src/raft/voting.ts',
          find: 'if (request.nextTerm < node.term) return false',
          replace: 'if (!node.configurations.isMember(from) && node.term > 0) return true'
        },
        {
          file: 'src/raft/voting.ts',
          find: 'if (node.configurations.isMember(from)) return false\n  const { lastIndex',
          replace: "if (node.configurations.isMember(from) || from !== '') return false\n  const { lastIndex"
        }
      ]
    }
  ),
  bug('any term is believed', 'raft', 'raft/term-jump.ts', 'if (ahead <= TERM_JUMP_MAX) return true', 'return true', {
    only: ['B12']
  }),
  bug(
    'votes are counted, whoever they are from',
    'raft',
    'raft/candidate.ts',
    "return jointVote(this.node.membership, (id) => this.answers.get(id)) === 'won'",
    'return [...this.answers.values()].filter(Boolean).length > this.node.membership.voters.length / 2',
    { only: ['B13', 'P1'] }
  ),
  bug(
    'an observer may be promoted',
    'replica',
    'replica/member-changes.ts',
    'if (state.isObserver(peerIdOf(learner))) {',
    "if (state.isObserver('')) {",
    { only: ['O11', 'B4'] }
  ),
  bug(
    'a machine votes with each of its disks',
    'replica',
    'replica/member-changes.ts',
    'const elder = voters.find((id) => peerIdOf(id) === peerIdOf(learner))\n  if (elder !== undefined) {',
    'const elder = voters.find((id) => id === learner)\n  if (elder !== undefined) {',
    { only: ['O11', 'P4'] }
  ),
  bug(
    'a frame may hold any number of address records',
    'replica',
    'replica/frames.ts',
    'PEER_RECORDS_MAX = 32',
    'PEER_RECORDS_MAX = 1_000_000',
    { only: ['B3'] }
  ),
  bug(
    'a clock that was never set judges dates',
    'identity',
    'identity/token.ts',
    'const trusted = wallMs >= floorMs',
    'const trusted = wallMs >= 0',
    { only: ['O12', 'B4'] }
  ),
  // ── Admission and discovery ───────────────────────────────────────────────────────────────────────────────────────
  bug(
    "the dates of a member's token are judged for ever",
    'membership',
    'membership/judge.ts',
    'if (token === undefined || isMember(claim, context)) return undefined',
    'if (token === undefined) return undefined'
  ),
  bug('the signatures of a claim are not verified', 'identity', 'identity/claim.ts', '  verifyCose(cose)\n', ''),
  bug(
    'a claim is believed whoever shows it',
    'membership',
    'membership/judge.ts',
    'if (fields.peerId !== context.remotePeerId) {',
    "if (fields.peerId === '') {"
  ),
  bug(
    'members are not dialled again',
    'discovery',
    'discovery/dial-planner.ts',
    'target.nextAt = now + (stable ? soon : this.#retryDelay(target, target.attempts))',
    'target.nextAt = Infinity'
  )
]

/** Who is believed and let in, who has a vote, and who is looked for. */
import { bug, type PlantedBug } from './bug.ts'

export const TRUST: readonly PlantedBug[] = [
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
    'replica/frame-kinds.ts',
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

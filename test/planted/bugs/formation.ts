/** How a cluster comes to be, and what it is named after. */
import { bug, type PlantedBug } from './bug.ts'

export const FOUNDING: readonly PlantedBug[] = [
  bug(
    'founders begin with a vote for themselves each',
    'replica',
    'replica/first-vote.ts',
    'set.claims[0]!.incarnation',
    'self.incarnation'
  ),
  bug(
    'the certificate is latched without the vote that it stands for',
    'replica',
    'replica/founding.ts',
    'const first = firstVote(this.#around.init, certificate)',
    'const first = undefined as ReturnType<typeof firstVote>'
  ),
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
  bug(
    'a majority founds',
    'formation',
    'formation/core.ts',
    'export const foundingQuorum = (foundingSize: number): number => foundingSize',
    'export const foundingQuorum = (foundingSize: number): number => Math.floor(foundingSize / 2) + 1'
  ),
  bug(
    'a later founding term forgets the accepted set',
    'formation',
    'formation/terms.ts',
    'step.save({ term, votedFor: undefined })',
    'step.save({ term, votedFor: undefined, accepted: undefined })'
  ),
  bug(
    'a founder gives way to an earlier term',
    'formation',
    'formation/election.ts',
    'if (term > step.core.state.term) adoptTerm(step, term)\n  const { state, role } = step.core\n  const outdated',
    'const earlier = term < step.core.state.term && acceptedTermOf(step.core) === 0\n  if (term > step.core.state.term || earlier) adoptTerm(step, term)\n  const { state, role } = step.core\n  const outdated'
  ),
  bug(
    'a vote for a later founding opens the latch',
    'formation',
    'formation/step.ts',
    '  if (state.certificate !== undefined) {\n    return step.send(from.incarnation,',
    "  if (state.certificate !== undefined && message.type === 'request-vote') step.save({ certificate: undefined })\n  else if (state.certificate !== undefined) {\n    return step.send(from.incarnation,"
  )
]

/** What to do after a refusal: the cluster says why, and only here is known that a person asked by command. */
import { QuorateError } from '../core/errors.ts'

const AFTER_REFUSAL: Readonly<Record<string, string>> = {
  'would-lose-quorum': 'Bring more voters up, or add one, then ask again: `quorate members` shows who is missing.',
  'unknown-member': 'Look it up: `quorate members`.',
  'ambiguous-member': 'Ask again with one of the names in the message.',
  'invalid-change': 'Look at the members as they are now: `quorate members`.',
  'not-caught-up': 'Wait until the learner has the log, then ask again.',
  'change-in-progress': 'Another change is under way: ask again in a moment.',
  'no-own-term-commit': 'The leader is new: ask again in a moment.',
  'transfer-failed': 'The old leader goes on. Look at the members, then ask again: `quorate members`.',
  'no-heir': 'Bring another voter up first: `quorate members` shows who is missing.',
  'not-leader': 'Ask again in a moment: `quorate status` shows who leads.',
  'too-large': 'Make the config smaller.',
  busy: 'Too many requests are under way: ask again in a moment.',
  removed: 'This node is no member any more: ask another one.'
}

/** The error's own next step, or the one that its refusal calls for. */
export function nextStepOf(error: QuorateError): string | undefined {
  if (error.nextStep !== undefined || error.name !== 'RequestRefusedError') return error.nextStep
  const { reason } = error.details
  return (
    (typeof reason === 'string' ? AFTER_REFUSAL[reason] : undefined) ?? 'Run `quorate status` to see how things are.'
  )
}

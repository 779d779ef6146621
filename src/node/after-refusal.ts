/** What to do after a refusal, by its code (docs/protocol/codes.md): the same for programs and for people at a terminal. */
const AFTER_REFUSAL: Readonly<Record<string, string>> = {
  'would-lose-quorum': 'Bring more voters up, or add one, then ask again: `quorate members` shows who is missing.',
  'unknown-member': 'Look it up: `quorate members`.',
  'ambiguous-member': 'Ask again with one of the names in the message.',
  'invalid-change': 'Look at the members as they are now: `quorate members`.',
  'not-caught-up': 'Wait until the learner has the log, then ask again.',
  'change-in-progress': 'Another change is under way: ask again in a moment.',
  'no-own-term-commit': 'The leader is new: ask again in a moment.',
  'transfer-failed': 'Look at who leads now and who is connected, then ask again: `quorate members`.',
  'no-heir': 'Bring another voter up first: `quorate members` shows who is missing.',
  'not-leader': 'Ask again in a moment: `quorate status` shows who leads.',
  'too-large': 'Make the config smaller.',
  unknown: 'It may still be decided: look at the config or the members before you repeat it.',
  observer: 'It came with the token of an observer: make another token, with role voter.',
  busy: 'Too many requests are under way: ask again in a moment.',
  removed: 'This node is no member any more: ask another one.'
}

export const afterRefusal = (code: string): string =>
  AFTER_REFUSAL[code] ?? 'Run `quorate status` to see how things are.'

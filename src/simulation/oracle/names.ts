/** The invariants of the oracle by their stable names. What each demands is in docs/SIMULATION.md, and where it comes from in docs/FAULTS.md. */
export const INVARIANTS = [
  'acts-on-its-log', 'agreement-is-found', 'bounded', 'commit-own-term', 'commit-within-log', 'committed-is-stored', 'config-agreement', 'config-order',
  'cut-is-covered', 'damage-is-found', 'durable-before-send', 'durable-latch', 'durable-log', 'durable-snapshot', 'durable-vote',
  'elected-by-durable-votes', 'election-safety', 'exactly-once', 'formation-acceptance', 'formation-one-vote', 'formation-term',
  'founded-by-all', 'initial-config', 'leader-append-only', 'leader-completeness', 'leader-in-touch', 'leader-is-voter', 'linearizable',
  'log-matching', 'monotonic-commit', 'monotonic-term', 'no-exception', 'no-stranger', 'observer-never-votes', 'one-change-at-a-time',
  'one-cluster', 'one-vote-a-machine', 'one-vote-a-term', 'pre-vote-is-earned', 'pre-vote-is-harmless', 'progress', 'quiet', 'quorums-intersect',
  'refused-by-name', 'removed-is-not-heard', 'snapshot-agreement', 'snapshot-is-committed', 'state-machine-safety', 'token-uses', 'unset-clock', 'vote-is-earned',
  'write-what-you-say'
] as const // prettier-ignore

export type Invariant = (typeof INVARIANTS)[number]

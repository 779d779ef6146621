/**
 * Loaded into a node with `--import`: its consensus core runs as the Raft paper has it, with the timeouts that the environment
 * names, as `low-high` in ms. No pre-vote, no CheckQuorum, no closed connections as signals, a heartbeat every half of the
 * least timeout.
 *
 * On SIGUSR2 a leader stops sending entries to two of its followers, so that their logs become shorter than those of the rest;
 * it says so on standard error, and forgets it when it leads no more.
 */
import { LAGGING_MARK } from './lagging-mark.ts'
import { isIncarnation, onRaftNode } from './raft-hook.ts'
import type { RaftNode } from '../../src/raft/node.ts'
import type { RaftEffects, RaftInput } from '../../src/raft/types.ts'

const range = process.env['QUORATE_BENCH_CLASSIC']
const [low, high] = (range ?? '').split('-').map(Number) as [number, number]
const lagging = new Set<string>()
let theCore: (() => RaftNode) | undefined

onRaftNode(({ prototype }) => {
  const { start, step } = prototype
  prototype.start = function (this: RaftNode, now: number): RaftEffects {
    if (!isIncarnation(this)) return start.call(this, now)
    theCore = () => this
    if (range !== undefined) beClassic(this.settings)
    return start.call(this, now)
  }
  prototype.step = function (this: RaftNode, input: RaftInput, now: number): RaftEffects {
    const effects = step.call(this, input, now)
    if (!isIncarnation(this)) return effects
    if (this.role.name !== 'leader') lagging.clear()
    if (lagging.size === 0) return effects
    const reaches = ({ to, message }: RaftEffects['send'][number]): boolean =>
      !lagging.has(to) || message.type !== 'append' || message.entries.length === 0
    return { ...effects, send: effects.send.filter(reaches), sendAfter: effects.sendAfter.filter(reaches) }
  }
})

/** The core draws from one to two timeouts; a stream of smaller numbers makes any other range of it. */
function beClassic(settings: RaftNode['settings']): void {
  const { random } = settings
  Object.assign(settings, {
    ...{ staggered: false, preVote: false, checkQuorum: false },
    timing: { ...settings.timing, heartbeatMs: low / 2, electionTimeoutMs: low, diskStallMs: 10_000 },
    random: { ...random, next: () => (random.next() * (high - low)) / low }
  })
}

process.on('SIGUSR2', () => {
  if (theCore === undefined) throw new Error('no consensus core has begun under this hook')
  const { membership, self } = theCore()
  for (const voter of membership.voters.filter((id) => id !== self).slice(0, 2)) lagging.add(voter)
  process.stderr.write(`${LAGGING_MARK}\n`)
})

/**
 * Loaded into a node with `--import`: keeps what its consensus core was told and asked for in the last steps, and writes it to
 * standard error on SIGUSR2, as one line.
 */
import { isIncarnation, onRaftNode } from './raft-hook.ts'
import { TRACE_MARK, type TraceStep } from './trace-mark.ts'
import type { RaftNode } from '../../src/raft/node.ts'
import type { RaftEffects, RaftInput } from '../../src/raft/types.ts'

const STEPS_MAX = 1_000
const steps: TraceStep[] = []

onRaftNode(({ prototype }) => {
  const { step } = prototype
  prototype.step = function (this: RaftNode, input: RaftInput, now: number): RaftEffects {
    if (!isIncarnation(this)) return step.call(this, input, now)
    const begin = performance.now()
    const effects = step.call(this, input, now)
    const end = performance.now()
    steps.push({
      at: performance.timeOrigin + begin,
      ms: end - begin,
      input: input.type === 'message' ? input.message.type : input.type,
      output: summary(effects)
    })
    if (steps.length > STEPS_MAX) steps.shift()
    return effects
  }
})

const sent = (what: string, list: RaftEffects['send']): string[] => [
  ...new Set(list.map(({ message }) => `${what} ${message.type}`))
]

function summary({ write, send, sendAfter, events }: RaftEffects): readonly string[] {
  const told = events.map((event) => (event.type === 'role' ? event.role : event.type))
  const writes = write === undefined ? [] : [write.hardState === undefined ? 'write entries' : 'write term and vote']
  return [...told, ...writes, ...sent('send', send), ...sent('after the write:', sendAfter)]
}

process.on('SIGUSR2', () => void process.stderr.write(`${TRACE_MARK}${JSON.stringify(steps)}\n`))

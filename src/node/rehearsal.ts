/**
 * What an election or a founding will need has run before it is needed.
 *
 * JavaScript that runs for the first time is compiled first and interpreted: each step of a candidate then takes 0.2 to 0.7 ms,
 * later a tenth of that, and a survivor may have waited months for the hour in which it runs that code. So a node that has
 * become ready lets imaginary members elect, write, hand over, lose their leader and take it back, with the shipped core and the shipped
 * codec, in memory. It costs some 20 ms of processor time, in small pieces; docs/PERFORMANCE.md has what it brings.
 *
 * In the same way a founder that waits for others, and to whom nothing happens, lets imaginary founders found (imaginary-founders.ts):
 * some 50 ms of processor time, in pieces of a millisecond or two. The last founder to come has the code still before it, the others
 * do not.
 *
 * Each once in a process: its nodes share their code.
 */
import { type Clock, delay } from '../core/clock.ts'
import { foundings, type ImaginaryWorld } from './imaginary-founders.ts'
import { InstantGroup } from './instant-group.ts'
import type { RaftMessage } from '../raft/messages.ts'
import { decodeFrame, encodeFrame, type FrameScope } from '../replica/frames.ts'

/** Whoever has just become ready has more urgent things to do. */
const AFTER_READY_MS = 150
/** The real group is heard in between. */
const PAUSE_MS = 2
/** Enough for V8 to learn the types and compile once; not so many that optimised code makes the process larger. */
const ROUNDS = 30

/** The first teaches most of it; after the fourth little changes. */
const FOUNDINGS = 4

const SCOPE: FrameScope = {
  domainId: new Uint8Array(32),
  clusterId: new Uint8Array(32),
  generation: 0,
  readClaim: () => undefined
}

let hasBegun = false

/** Resolves when it is over, rejects with the reason of `signal`. */
export async function rehearse(clock: Clock, signal: AbortSignal): Promise<void> {
  if (hasBegun) return
  hasBegun = true
  await delay(clock, AFTER_READY_MS, signal)
  const rounds = failovers(ROUNDS)
  while (rounds.next().done !== true) await delay(clock, PAUSE_MS, signal)
}

let foundingsLeft = FOUNDINGS

/** Resolves when it is over, rejects with the reason of `signal`; then what is missing is for another time. */
export async function rehearseFounding(world: ImaginaryWorld, signal: AbortSignal): Promise<void> {
  if (foundingsLeft === 0) return
  for await (const cluster of foundings(foundingsLeft, world)) {
    if (cluster !== undefined) foundingsLeft--
    await delay(world.clock, PAUSE_MS, signal)
  }
}

/**
 * A leader writes, falls silent, is replaced and comes back, so many times; every other one hands over first. Whoever is to follow it
 * misses it before the others do, or after them. Gives the terms.
 */
export function* failovers(rounds: number): Generator<number> {
  const group = new InstantGroup(3, 'rehearsal', overTheWire)
  for (let ref = 1; ref <= rounds; ref++) {
    if (ref % 2 === 0) group.propose(group.elect(), { type: 'transfer', ref: -ref })
    const leader = group.elect()
    group.propose(leader, { type: 'propose', ref, data: new Uint8Array(64) })
    group.beat(leader)
    group.cut(leader, ref % 4 < 2 ? group.members : group.members.toReversed())
    const heir = group.elect()
    group.join(leader)
    yield heir.raft.status().term
  }
}

function overTheWire(message: RaftMessage): RaftMessage {
  const frame = decodeFrame(encodeFrame({ kind: 'raft', message }, SCOPE), SCOPE)
  if (frame.kind !== 'raft') throw new Error(`a consensus message was read as a ${frame.kind} frame`)
  return frame.message
}

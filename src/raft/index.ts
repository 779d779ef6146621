import { RaftNode } from './node.ts'
import type { RaftEffects, RaftInit, RaftInput, RaftStatus } from './types.ts'

export * from './types.ts'
export {
  RaftMessageError,
  decodeMembership,
  decodeRaftMessage,
  encodeMembership,
  encodeRaftMessage,
  entryTypeCode,
  entryTypeOf
} from './messages.ts'
export type { RaftMessage } from './messages.ts'

/** One member of one group. */
export interface Raft {
  /** Once, before the first step: arms the timers. */
  start(now: number): RaftEffects
  step(input: RaftInput, now: number): RaftEffects
  status(): RaftStatus
}

/** Resumes from what storage recovered. Throws InvalidOptionError, or RaftMessageError when a stored membership is unreadable. */
export const createRaft = (init: RaftInit): Raft => new RaftNode(init)

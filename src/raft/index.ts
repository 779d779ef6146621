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

export declare function createRaft(init: RaftInit): Raft

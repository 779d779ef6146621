/** The kinds of frames as they are numbered on the wire, and how much two of them may hold. */
export const KINDS = [
  'formation',
  'raft',
  'peers',
  'forward',
  'answer',
  'fenced',
  'snapshot',
  'snapshot-progress',
  'boots'
] as const
export const RAFT = KINDS.indexOf('raft')
export const PEERS = KINDS.indexOf('peers')
export const BOOTS = KINDS.indexOf('boots')

/** Signed address records in one peer-exchange frame. */
export const PEER_RECORDS_MAX = 32
export const RECORD_BYTES_MAX = 2_048
/** Boot statements in one frame. */
export const STATEMENTS_MAX = 32
export const STATEMENT_BYTES_MAX = 1_024

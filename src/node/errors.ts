/** Why a node could not do what it was asked, or could not go on. */
import { messageOf, QuorateError } from '../core/errors.ts'
import { afterRefusal } from './after-refusal.ts'

/** Two live nodes claim one founding place. Founding stops; nobody can tell which of the two is the right one. */
export class SeatConflictError extends QuorateError {
  constructor(seat: number, peerIds: readonly [string, string]) {
    super('SeatConflictError', 'ERR_SEAT_CONFLICT', `seat ${seat} is claimed by ${peerIds[0]} and by ${peerIds[1]}`, {
      details: { seat, peerIds },
      nextStep:
        'Two machines hold the same token. Keep the wrong one off, and start the right one again with its data directory: it goes on where it stopped.'
    })
  }
}

/** No leader took the request in time: without a majority of the voters nothing can be decided. */
export class NoQuorumError extends QuorateError {
  constructor(waitedMs: number, waitingFor: readonly string[]) {
    const why = waitingFor.length === 0 ? 'the leader did not answer' : waitingFor.join('; ')
    super('NoQuorumError', 'ERR_NO_QUORUM', `not decided within ${Math.round(waitedMs)} ms: ${why}`, {
      details: { waitedMs: Math.round(waitedMs), waitingFor },
      nextStep:
        'Bring a majority of the voters back. If a change was sent, it may still be decided: look at the config before you repeat it.'
    })
  }
}

/** The node ended, by itself or because it was told to, while a request was under way: it may have been decided or not. */
export class OutcomeUnknownError extends QuorateError {
  constructor(cause: unknown) {
    const { name, code } = cause instanceof QuorateError ? cause : { name: 'Error', code: 'ERR_UNEXPECTED' }
    super(
      'OutcomeUnknownError',
      'ERR_OUTCOME_UNKNOWN',
      `whether it was decided is not known, because the node ended: ${messageOf(cause)}`,
      {
        details: { reason: { name, code } },
        nextStep: `Look at the config and the members, here after a restart or on another node, before you repeat it.${adviceOf(cause)}`,
        cause
      }
    )
  }
}

const adviceOf = (cause: unknown): string =>
  cause instanceof QuorateError && cause.nextStep !== undefined ? ` ${cause.nextStep}` : ''

/** The request was understood and refused; asking again gives the same answer. */
export class RequestRefusedError extends QuorateError {
  constructor(what: string, code: string, detail: string) {
    super('RequestRefusedError', 'ERR_REQUEST_REFUSED', `${what} was refused (${code}): ${detail}`, {
      details: { what, reason: code },
      nextStep: afterRefusal(code)
    })
  }
}

/** The node has stopped, or is stopping. */
export class NodeStoppedError extends QuorateError {
  constructor(reason: string, cause?: unknown) {
    super('NodeStoppedError', 'ERR_NODE_STOPPED', `the node has stopped: ${reason}`, {
      cause,
      nextStep: 'Make a new node on the same data directory: it goes on where this one stopped.'
    })
  }
}

/** Members refuse this node for good: waiting would not help. */
export class NotAdmittedError extends QuorateError {
  constructor(peer: string, code: string, detail: string, nextStep: string) {
    super('NotAdmittedError', 'ERR_NOT_ADMITTED', `${peer} refuses this node for good (${code}): ${detail}`, {
      details: { peer, refusal: code },
      nextStep
    })
  }
}

/** The node was not ready in time; `waitingFor` says what is missing. It goes on trying unless it is stopped. */
export class NotReadyError extends QuorateError {
  /** `advice`: what else must be done before waiting can help. */
  constructor(limitText: string, stage: string, waitingFor: readonly string[], advice: readonly string[] = []) {
    const why = waitingFor.length === 0 ? `it is at stage ${stage}` : waitingFor.join('; ')
    super('NotReadyError', 'ERR_NOT_READY', `not ready within ${limitText}: ${why}`, {
      details: { stage, waitingFor },
      nextStep:
        advice.length === 0
          ? 'Bring what is missing, then start it again as before: it goes on where it stopped.'
          : advice.map(capitalized).join(' ')
    })
  }
}

/** Advice is part of a list elsewhere. */
const capitalized = (text: string): string =>
  `${text[0]!.toUpperCase()}${text.slice(1)}${/[.!?]$/.test(text) ? '' : '.'}`

/** Nothing says which cluster this node belongs to. */
export class NoCredentialError extends QuorateError {
  constructor(dataDir: string) {
    super('NoCredentialError', 'ERR_NO_CREDENTIAL', `${dataDir} holds no token or genesis, and none was given`, {
      details: { dataDir },
      nextStep:
        'Give it `token`, one line of those that `quorate init` or `createToken` makes, or `genesis` where the roster names this node.'
    })
  }
}

/** The data directory has the log of a node and no longer its key. Nothing was made in its place. */
export class NodeKeyMissingError extends QuorateError {
  constructor(path: string, peerId: string) {
    super(
      'NodeKeyMissingError',
      'ERR_NODE_KEY_MISSING',
      `${path} is missing, and the log beside it is that of ${peerId}`,
      {
        details: { path, peerId },
        nextStep:
          'Put the key file back. Without it that node is gone: remove it from its cluster, and start a new one in an empty data directory.'
      }
    )
  }
}

/** What was given contradicts what the data directory holds. */
export class CredentialMismatchError extends QuorateError {
  constructor(what: string, stored: string, given: string, dataDir: string) {
    super(
      'CredentialMismatchError',
      'ERR_CREDENTIAL_MISMATCH',
      `${dataDir} belongs to ${what} ${stored}, and ${given} was given`,
      {
        details: { what, stored, given, dataDir },
        nextStep: 'Start without the token to go on as what the directory is, or choose an empty data directory.'
      }
    )
  }
}

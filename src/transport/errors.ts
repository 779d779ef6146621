/** Why a dial ended without a session, and why bytes were not frames. */
import { messageOf, QuorateError } from '../core/errors.ts'

export { AdmissionRefusedError } from '../membership/refusal.ts'

export interface DialAttempt {
  readonly address: string
  readonly error: string
}

/** Nobody behind these addresses answered as a Quorate node. */
export class DialFailedError extends QuorateError {
  readonly attempts: readonly DialAttempt[]

  constructor(peerId: string | undefined, attempts: readonly DialAttempt[], cause?: unknown) {
    const who = peerId ?? 'a node'
    const what = attempts.map(({ address, error }) => `${address}: ${error}`).join('; ')
    super(
      'DialFailedError',
      'ERR_DIAL_FAILED',
      `no session with ${who}: ${what === '' ? 'no address to dial' : what}`,
      {
        details: { peerId, attempts },
        nextStep: 'Check that the node is up, and that its address and port can be reached from here.',
        cause
      }
    )
    this.attempts = attempts
  }
}

/** Bytes that break the framing rules; the stream that they came on is reset. */
export class FramingError extends QuorateError {
  constructor(message: string, details: Readonly<Record<string, unknown>> = {}) {
    super('FramingError', 'ERR_FRAMING', message, { details })
  }
}

/** None of the addresses to listen on could be bound. */
export class ListenFailedError extends QuorateError {
  constructor(addresses: readonly string[], cause: unknown) {
    super('ListenFailedError', 'ERR_LISTEN_FAILED', `cannot listen on ${addresses.join(', ')}: ${messageOf(cause)}`, {
      details: { addresses },
      nextStep: 'Choose a free port and an address of this machine.',
      cause
    })
  }
}

/** The transport was stopped while the call was waiting, or was not started. */
export class TransportStoppedError extends QuorateError {
  constructor() {
    super('TransportStoppedError', 'ERR_TRANSPORT_STOPPED', 'the transport is not running')
  }
}

/** Admission ended without a verdict: the peer went away, or the channel broke. */
export class AdmissionBrokenError extends QuorateError {
  constructor(what: string, cause?: unknown) {
    const why = cause === undefined ? '' : ` (${messageOf(cause)})`
    super('AdmissionBrokenError', 'ERR_ADMISSION_BROKEN', `${what} during admission${why}`, { cause })
  }
}

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

/** What the system says of an address that cannot be bound, and what to do about it. */
const BINDING: Readonly<Record<string, readonly [why: string, nextStep: string]>> = {
  EADDRINUSE: ['the port is in use', 'Choose another port, or stop the process that has this one.'],
  EADDRNOTAVAIL: [
    'this machine does not have that address',
    'Choose an address of this machine, or 0.0.0.0 for all of them.'
  ],
  EACCES: ['permission denied', 'Choose a port from 1024 on, or give the process the right to bind lower ones.']
}

/** None of the addresses to listen on could be bound. */
export class ListenFailedError extends QuorateError {
  constructor(addresses: readonly string[], cause: unknown) {
    const failed = failedBindings(addresses, messageOf(cause))
    const told = failed.map(({ address, errno, text }) => `${address}: ${BINDING[errno]?.[0] ?? text}`)
    super('ListenFailedError', 'ERR_LISTEN_FAILED', `cannot listen on ${told.join(', ')}`, {
      details: { addresses, errno: failed[0]?.errno },
      nextStep: BINDING[failed[0]?.errno ?? '']?.[1] ?? 'Choose a free port and an address of this machine.',
      cause
    })
  }
}

interface FailedBinding {
  readonly address: string
  /** Empty when none is named. */
  readonly errno: string
  /** In the words of whoever failed, without its stack. */
  readonly text: string
}

/** libp2p tells of several in one text, each in a line of its own with the stack below it. */
function failedBindings(addresses: readonly string[], message: string): readonly FailedBinding[] {
  const lines = [...message.matchAll(/^\s*(\/\S+): (.*)$/gm)]
  const failed = lines.map(([, address = '', text = '']) => ({ address, errno: errnoIn(text), text }))
  const [text = ''] = message.split('\n')
  return failed.length > 0 ? failed : [{ address: addresses.join(', '), errno: errnoIn(message), text }]
}

const errnoIn = (text: string): string => /\bE[A-Z]{3,}\b/.exec(text)?.[0] ?? ''

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

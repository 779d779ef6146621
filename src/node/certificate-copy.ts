/**
 * When the founding certificate is copied beside the key. It is durable in the log before anybody acts on it; the copy is for a
 * log that is lost. Making it (a new file, two syncs, a rename) beside the very writes that a founding waits for held those up, on
 * every founder at the same time. So it waits until the node is ready, but not for long where that takes long, nor beyond the
 * end of the node. A crash before it costs nothing: the next start finds it missing, and makes it.
 */
import type { Clock, Timer } from '../core/clock.ts'
import type { Home } from './home.ts'

/** Of a node that is founded and not ready. */
const LATEST_MS = 1_000

export interface CertificateCopyInit {
  readonly clock: Clock
  readonly home: Pick<Home, 'keepCertificate'>
  readonly onError: (error: unknown) => void
}

export class CertificateCopy {
  readonly #init: CertificateCopyInit
  #certificate: Uint8Array | undefined
  #timer: Timer | undefined

  constructor(init: CertificateCopyInit) {
    this.#init = init
  }

  /** The node is founded, and has no copy. */
  owe(certificate: Uint8Array): void {
    this.#certificate = certificate
    this.#timer = this.#init.clock.setTimer(LATEST_MS, () => this.make())
  }

  /** The node is ready, or ends. Does nothing when there is nothing to copy any more. */
  make(): void {
    const { home, onError } = this.#init
    const certificate = this.#certificate
    this.#certificate = undefined
    this.#timer?.cancel()
    if (certificate !== undefined) home.keepCertificate(certificate).catch(onError)
  }
}

/** Drives an admission exchange over bytes, with its caps and its deadline. */
import type { Clock, Timer } from '../core/clock.ts'
import { AdmissionBrokenError, FramingError } from './errors.ts'
import type { AdmissionExchange, ExchangeOutcome } from './exchange.ts'
import { encodeFrames, FrameDecoder, type Frame } from './framing.ts'

/** Bytes both ways, for as long as the exchange owns them. */
export interface ByteDuplex {
  /** Throws when it is closed. */
  write(bytes: Uint8Array): void
  /** Begins to deliver. `onEnd` is called at most once, after the last chunk. */
  read(onChunk: (chunk: Uint8Array) => void, onEnd: (error: Error | undefined) => void): void
  /** Ends the delivery; `rest` was read too far and belongs to whoever reads next. */
  release(rest: Uint8Array): void
}

export interface RunExchangeInit {
  readonly clock: Clock
  /** Largest hello or verdict. */
  readonly bytesMax: number
  readonly deadlineMs: number
  readonly signal?: AbortSignal | undefined
}

/** How long a refusal waits for the peer to say that it has heard. */
const LINGER_MS = 1_000
/** What the peer may send of the next layer before we have read its verdict. */
const READ_AHEAD_BYTES = 512 * 1024

/**
 * Resolves with the outcome; a deadline or bytes that are no exchange are refusals of ours. Rejects with AdmissionBrokenError
 * when the peer goes away, with what the gate throws, or with the signal's reason.
 */
export function runExchange(
  duplex: ByteDuplex,
  exchange: AdmissionExchange,
  init: RunExchangeInit
): Promise<ExchangeOutcome> {
  return new Promise((resolve, reject) => {
    // Kind, instance and sequence come on top of what the gate sends.
    const decoder = new FrameDecoder(init.bytesMax + 64)
    let timer: Timer | undefined
    let settled = false
    let lingers = false

    const settle = (error?: unknown): void => {
      if (settled) return
      settled = true
      timer?.cancel()
      init.signal?.removeEventListener('abort', onAbort)
      const { outcome } = exchange
      const admitted = outcome?.type === 'admitted'
      duplex.release(admitted ? decoder.rest() : new Uint8Array(0))
      if (outcome !== undefined) resolve(outcome)
      else reject(error instanceof Error ? error : new AdmissionBrokenError('it ended early', error))
    }
    const onAbort = (): void => settle(init.signal!.reason)

    const guarded = (step: () => void): void => {
      if (settled) return
      try {
        step()
      } catch (error) {
        if (error instanceof FramingError) exchange.giveUp({ code: 'malformed', detail: error.message })
        settle(error)
        return
      }
      if (exchange.done) settle()
      else if (exchange.outcome !== undefined) linger()
    }
    const linger = (): void => {
      if (lingers) return
      lingers = true
      timer?.cancel()
      timer = init.clock.setTimer(Math.min(LINGER_MS, init.deadlineMs), () => settle())
    }
    const onChunk = (chunk: Uint8Array): void =>
      guarded(() => {
        decoder.push(chunk)
        if (decoder.byteLength > READ_AHEAD_BYTES) throw new FramingError('too many bytes before admission')
        while (!exchange.done) {
          const frame = decoder.next()
          if (frame === undefined) return
          send(duplex, exchange.receive(frame))
        }
      })
    const onEnd = (error: Error | undefined): void =>
      settle(new AdmissionBrokenError('the peer closed the connection', error))

    if (init.signal?.aborted === true) {
      settle(init.signal.reason)
      return
    }
    init.signal?.addEventListener('abort', onAbort, { once: true })
    timer = init.clock.setTimer(init.deadlineMs, () => {
      exchange.giveUp({ code: 'timeout', detail: `admission took longer than ${init.deadlineMs} ms` })
      settle()
    })
    guarded(() => {
      send(duplex, exchange.start())
      duplex.read(onChunk, onEnd)
    })
  })
}

function send(duplex: ByteDuplex, frames: readonly Frame[]): void {
  if (frames.length > 0) duplex.write(encodeFrames(frames))
}

/**
 * Requests between members: the frame in which one of ours goes to the leader, and the book of what peers have asked us when we lead.
 *
 * The book holds what peers have in our core at one time: by our core's ref, and by peer and request, to know a repeat.
 *
 * There is room for so many in all, and each member has an equal share of it, so that one that asks without end takes nothing from the
 * others.
 */
import { fromHex, toHex } from '../core/bytes.ts'
import { invariant } from '../core/invariant.ts'
import type { ForwardedOperation, Frame } from './frames.ts'
import type { ClientRequest } from './types.ts'

/** Requests that peers have in our core at one time. */
export const FORWARDED_MAX = 16_384

export interface Forwarded {
  readonly peerId: string
  readonly requestId: Uint8Array
  readonly op: string
}

export class Forwards {
  readonly #byRef = new Map<number, Forwarded>()
  readonly #names = new Set<string>()
  readonly #counts = new Map<string, number>()

  /** `members`: among how many the room is shared. */
  isFullFor(peerId: string, members: number): boolean {
    const share = Math.max(1, Math.floor(FORWARDED_MAX / Math.max(1, members)))
    return this.#byRef.size >= FORWARDED_MAX || (this.#counts.get(peerId) ?? 0) >= share
  }

  has(peerId: string, requestId: Uint8Array): boolean {
    return this.#names.has(nameOf(peerId, requestId))
  }

  add(ref: number, forwarded: Forwarded): void {
    const { peerId, requestId } = forwarded
    this.#byRef.set(ref, forwarded)
    this.#names.add(nameOf(peerId, requestId))
    this.#counts.set(peerId, (this.#counts.get(peerId) ?? 0) + 1)
  }

  /** Our core is done with it. */
  take(ref: number): Forwarded | undefined {
    const forwarded = this.#byRef.get(ref)
    if (forwarded === undefined) return undefined
    const { peerId, requestId } = forwarded
    this.#byRef.delete(ref)
    this.#names.delete(nameOf(peerId, requestId))
    const left = this.#counts.get(peerId)! - 1
    if (left > 0) this.#counts.set(peerId, left)
    else this.#counts.delete(peerId)
    return forwarded
  }
}

const nameOf = (peerId: string, requestId: Uint8Array): string => `${peerId} ${toHex(requestId)}`

export function operationOf(request: ClientRequest): ForwardedOperation {
  switch (request.type) {
    case 'command':
      return { op: 'command', data: request.data }
    case 'transfer':
      return { op: 'transfer', to: request.to }
    case 'leave':
    case 'read':
      return { op: request.type }
    case 'members':
      return request.operation
  }
}

export function forwardFrame(request: ClientRequest): Frame {
  const requestId = fromHex(request.requestId)
  invariant(requestId !== undefined, () => `request id ${request.requestId} is not hex`)
  return { kind: 'forward', requestId, operation: operationOf(request) }
}

/**
 * The items of one CBOR array, read one after the other, with the strictness that messages of members are owed: numbers from 0 to
 * 2^53 - 1, texts and lists within bounds, nothing left over. What is wrong is named by its field.
 */
import { compareText } from '../core/bytes.ts'
import type { CborValue } from '../core/cbor.ts'
import { QuorateError } from '../core/errors.ts'
import type { NodeId } from './types.ts'

/** A peer sent something that is no message of this protocol. */
export class RaftMessageError extends QuorateError {
  constructor(message: string, detail: { readonly details?: Record<string, unknown>; readonly cause?: unknown } = {}) {
    super('RaftMessageError', 'ERR_RAFT_MESSAGE', message, {
      ...detail,
      nextStep: 'Close the stream: the peer speaks another protocol version or is broken.'
    })
  }
}

/** Members in one list of a membership. */
export const MEMBERS_MAX = 2_048
/** UTF-16 code units of a node id. */
export const NODE_ID_LENGTH_MAX = 256

/** Reads the items of one array from first to last; each method names the field in its error. */
export class Fields {
  readonly #items: readonly CborValue[]
  #at = 0

  constructor(value: CborValue) {
    if (!Array.isArray(value)) throw new RaftMessageError('a raft message is an array')
    this.#items = value as readonly CborValue[]
  }

  number(field: string): number {
    const value = this.#items[this.#at++]
    if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value
    throw new RaftMessageError(`${field} is not an integer from 0 to 2^53 - 1`, { details: { field } })
  }

  positive(field: string): number {
    const value = this.number(field)
    if (value > 0) return value
    throw new RaftMessageError(`${field} is 0`, { details: { field } })
  }

  boolean(field: string): boolean {
    const value = this.#items[this.#at++]
    if (typeof value === 'boolean') return value
    throw new RaftMessageError(`${field} is neither true nor false`, { details: { field } })
  }

  bytes(field: string): Uint8Array {
    const value = this.#items[this.#at++]
    if (value instanceof Uint8Array) return value
    throw new RaftMessageError(`${field} is not a byte string`, { details: { field } })
  }

  array(field: string, max: number): readonly CborValue[] {
    const value = this.#items[this.#at++]
    if (!Array.isArray(value)) throw new RaftMessageError(`${field} is not an array`, { details: { field } })
    if (value.length > max) throw new RaftMessageError(`${field} has more than ${max} items`, { details: { field } })
    return value as readonly CborValue[]
  }

  /** Sorted, without repetition. */
  nodeIds(field: string): readonly NodeId[] {
    const ids = this.array(field, MEMBERS_MAX)
    let previous = ''
    for (const id of ids) {
      if (typeof id !== 'string' || id.length === 0 || id.length > NODE_ID_LENGTH_MAX) {
        throw new RaftMessageError(`${field} holds something that is no node id`, { details: { field } })
      }
      if (compareText(previous, id) >= 0) throw new RaftMessageError(`${field} is not sorted`, { details: { field } })
      previous = id
    }
    return ids as readonly NodeId[]
  }

  end(): void {
    if (this.#at !== this.#items.length)
      throw new RaftMessageError(`${this.#items.length} fields where ${this.#at} belong`)
  }
}

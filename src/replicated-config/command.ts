/**
 * The bytes of a `command` entry: deterministic CBOR, a map with small integer keys (docs/protocol/config.md has the CDDL).
 *
 * Reading is total: any bytes give a command or the reason why not, because what stands in the log must be applied by every
 * member in the same way, also when a broken or newer member put it there.
 */
import { fromHex, toHex } from '../core/bytes.ts'
import { CborError, decodeCbor, encodeCbor } from '../core/cbor.ts'
import type { CborKey, CborMap, CborValue } from '../core/cbor.ts'
import { InvalidOptionError } from '../core/errors.ts'
import { AUTHOR_LENGTH_MAX, REASON_LENGTH_MAX } from './limits.ts'
import type { ConfigSet } from './types.ts'

const KIND = 0
const REQUEST_ID = 1
const AUTHOR = 2
const AT = 3
const REASON = 4
const TEXT = 5
const IF_VERSION = 6

const KIND_CONFIG_SET = 1

/** Throws InvalidOptionError when a field cannot be written; a command that was made by `decodeCommand` always can. */
export function encodeCommand(command: ConfigSet): Uint8Array<ArrayBuffer> {
  const requestId = fromHex(command.requestId)
  if (requestId === undefined) throw new InvalidOptionError(`requestId ${command.requestId} is not hex`)
  const map = new Map<CborKey, CborValue>([
    [KIND, KIND_CONFIG_SET],
    [REQUEST_ID, requestId],
    [AUTHOR, command.author],
    [AT, command.at],
    [REASON, command.reason],
    [TEXT, command.text]
  ])
  if (command.ifVersion !== undefined) map.set(IF_VERSION, command.ifVersion)
  const problem = problemOf(map)
  if (problem !== undefined) throw new InvalidOptionError(`the config command cannot be proposed: ${problem}`)
  return encodeCbor(map)
}

export type DecodedCommand =
  { readonly type: 'command'; readonly command: ConfigSet } | { readonly type: 'malformed'; readonly detail: string }

/** Never throws. */
export function decodeCommand(bytes: Uint8Array): DecodedCommand {
  let value: CborValue
  try {
    value = decodeCbor(bytes, { depthMax: 1, itemsMax: 64 })
  } catch (error) {
    if (error instanceof CborError) return { type: 'malformed', detail: error.message }
    throw error
  }
  if (!(value instanceof Map)) return { type: 'malformed', detail: 'not a map' }
  const map = value as CborMap
  const problem = problemOf(map)
  if (problem !== undefined) return { type: 'malformed', detail: problem }
  const ifVersion = map.get(IF_VERSION) as number | undefined
  return {
    type: 'command',
    command: {
      kind: 'config-set',
      requestId: toHex(map.get(REQUEST_ID) as Uint8Array),
      author: map.get(AUTHOR) as string,
      at: map.get(AT) as number,
      reason: map.get(REASON) as string,
      text: map.get(TEXT) as string,
      ...(ifVersion === undefined ? {} : { ifVersion })
    }
  }
}

/** For both directions: what is written can be read, and nothing else is read. */
function problemOf(map: CborMap): string | undefined {
  if (map.get(KIND) !== KIND_CONFIG_SET) return 'the kind of command is unknown'
  const requestId = map.get(REQUEST_ID)
  if (!(requestId instanceof Uint8Array) || requestId.byteLength !== 16) return 'requestId is not 16 bytes'
  if (!isText(map.get(AUTHOR), 1, AUTHOR_LENGTH_MAX)) return `author is not a text of 1 to ${AUTHOR_LENGTH_MAX}`
  if (!isCount(map.get(AT))) return 'at is not a whole number of milliseconds'
  if (!isText(map.get(REASON), 0, REASON_LENGTH_MAX)) return `reason is not a text of at most ${REASON_LENGTH_MAX}`
  if (typeof map.get(TEXT) !== 'string') return 'text is not a text'
  const ifVersion = map.get(IF_VERSION)
  if (ifVersion !== undefined && !isCount(ifVersion)) return 'ifVersion is not a whole number'
  if (map.size === (ifVersion === undefined ? IF_VERSION : IF_VERSION + 1)) return undefined
  const unknown = Array.from(map.keys()).find((key) => typeof key === 'string' || key < KIND || key > IF_VERSION)
  return `field ${unknown} is unknown`
}

function isText(value: CborValue | undefined, least: number, most: number): boolean {
  return typeof value === 'string' && value.length >= least && value.length <= most
}

function isCount(value: CborValue | undefined): boolean {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
}

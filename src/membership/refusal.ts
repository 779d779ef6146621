/** Why a peer was not admitted: a stable code to switch on, and one sentence for people that names the values. */
import { QuorateError } from '../core/errors.ts'

export const REFUSAL_CODES = [
  /** The bytes are not a hello, claim or token. */
  'malformed',
  /** The peer speaks another version of this exchange. */
  'version',
  'foreign-domain',
  'foreign-generation',
  /** The same domain, but founded as another cluster: somebody's founding promise was broken, or data directories were mixed up. */
  'foreign-cluster',
  /** Neither side has the genesis yet; ask again later, or elsewhere. */
  'genesis-unknown',
  /** The peer showed no claim at all. */
  'no-credential',
  'unknown-issuer',
  'bad-signature',
  'token-expired',
  'token-not-yet-valid',
  /** The claim or token is for another key than the one that the channel proved. */
  'token-wrong-peer',
  /** The seat or the last use of the token belongs to somebody else. */
  'token-already-used',
  'not-in-roster',
  'role-forbidden',
  /** Another process lives under the same key and store. */
  'clone',
  'revoked',
  /** We reached ourselves. */
  'self',
  'timeout'
] as const

export type RefusalCode = (typeof REFUSAL_CODES)[number]

export interface Refusal {
  readonly code: RefusalCode
  /** One sentence for people, naming the values. At most 512 characters, control characters escaped. */
  readonly detail: string
}

export const DETAIL_CHARS_MAX = 512

export const refusal = (code: RefusalCode, detail: string): Refusal => ({ code, detail: printable(detail) })

/**
 * The text with control, formatting and unpaired code units written as `\u{…}`, at most 512 characters: what a stranger puts
 * into a name must not move a cursor, reverse a line or fill a log (FAULTS B14).
 */
export function printable(text: string, charsMax = DETAIL_CHARS_MAX): string {
  let out = ''
  // A stranger's text may be long: look at no more of it than can be shown.
  for (const character of text.slice(0, charsMax + 1)) {
    const shown = UNPRINTABLE.test(character) ? `\\u{${character.codePointAt(0)!.toString(16)}}` : character
    // The cut may fall into the middle of a pair of code units.
    if (out.length + shown.length > charsMax) return `${out.slice(0, charsMax - 1).replace(/\p{Cs}$/u, '')}…`
    out += shown
  }
  return out
}

/** Controls, formats (bidirectional overrides, zero width), surrogates, private use, unassigned, line and paragraph ends. */
const UNPRINTABLE = /[\p{C}\p{Zl}\p{Zp}]/u

/** Admission failed: `by` says on which side, `refusal` why. */
export class AdmissionRefusedError extends QuorateError {
  readonly by: 'us' | 'them'
  readonly refusal: Refusal

  readonly peerId: string | undefined

  constructor(by: 'us' | 'them', reason: Refusal, peerId?: string, address?: string) {
    const name = printable(peerId ?? address ?? 'the peer', 128)
    const who = by === 'us' ? `we refused ${name}` : `${name} refused us`
    super('AdmissionRefusedError', 'ERR_ADMISSION_REFUSED', `${who}: ${reason.detail} (${reason.code})`, {
      details: { by, refusal: reason, peerId, address },
      nextStep: NEXT_STEP[reason.code]
    })
    this.by = by
    this.refusal = reason
    this.peerId = peerId
  }
}

/** What a person should do about a refusal. */
export const nextStepOf = (code: RefusalCode): string => NEXT_STEP[code]

const NEXT_STEP: Readonly<Record<RefusalCode, string>> = {
  malformed: 'Check that both sides run Quorate and that nothing between them rewrites traffic.',
  version: 'Upgrade the older of the two nodes.',
  'foreign-domain': 'Use tokens and a genesis from the same `quorate init`.',
  'foreign-generation': 'Give the node the genesis or recovery document of the current generation.',
  'foreign-cluster': 'Stop both clusters and find out which one is wanted; one of the two data directories must go.',
  'genesis-unknown': 'Pass --genesis to one of the nodes, or wait until a peer that has it is reached.',
  'no-credential': 'Start the node with a token of this cluster.',
  'unknown-issuer': 'Use a token that an issuer of this genesis signed.',
  'bad-signature': 'Copy the token again; it was altered on its way.',
  'token-expired':
    'Make a new token with `quorate token create`, and start the machine with it and an empty data directory.',
  'token-not-yet-valid': 'Wait, or set the clocks of both machines.',
  'token-wrong-peer': 'Use the token on the node that it was made for.',
  'token-already-used':
    'Another machine has used it up, and a copy is of no use: make a token for this one with `quorate token create`, and start it with an empty data directory. If this is that machine, start it with the data directory, or at least the key (node.key), that it had.',
  'not-in-roster': 'Add the PeerId to the roster of a new genesis, or start the node with a join token.',
  'role-forbidden': 'Use a token that allows this role.',
  clone: 'Stop one of the two machines; give it a data directory and key of its own.',
  revoked:
    'Make a new token with `quorate token create` if the node shall come back, and start it with an empty data directory.',
  self: 'Nothing needs to be done.',
  timeout: 'Check the network between the two nodes.'
}

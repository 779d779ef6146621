/** Claims and signatures that cost nothing to make and cannot be mistaken for another's. */
import { concat, equalBytes, utf8 } from '../../src/core/bytes.ts'
import { encodeCbor } from '../../src/core/cbor.ts'
import { sha256 } from '../../src/core/hash.ts'
import { encodeFoundingSet, type Claim, type FormationCrypto, type FoundingSet } from '../../src/formation/index.ts'

export function makeClaim(peerId: string, seat: number, store = 1): Claim {
  return {
    incarnation: `${peerId}#${store}`,
    peerId,
    seat,
    bytes: utf8(`claim ${peerId} ${seat} ${store}`)
  }
}

/** Never throws, like the real one; a claim has one form. */
export function readClaim(bytes: Uint8Array): Claim | undefined {
  const match = /^claim (\w+) (\d+) (\d+)$/.exec(new TextDecoder('latin1').decode(bytes))
  if (match === null) return undefined
  const claim = makeClaim(match[1]!, Number(match[2]), Number(match[3]))
  return equalBytes(claim.bytes, bytes) ? claim : undefined
}

export const fakeSign = (claim: Claim, payload: Uint8Array): Uint8Array =>
  concat(utf8(`${claim.incarnation}:`), sha256(utf8(`key of ${claim.incarnation}`), payload))

export const fakeCrypto: FormationCrypto = {
  acceptancePayload: (term: number, set: FoundingSet) =>
    sha256(encodeCbor(['acceptance', term, encodeFoundingSet(set)])),
  verifyAcceptance: (payload, acceptance) => equalBytes(acceptance.signature, fakeSign(acceptance.claim, payload)),
  readClaim
}

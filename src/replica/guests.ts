/**
 * What the credentials of admitted peers allow them beyond the seats of founding: who may be taken in, whose join token is to be
 * redeemed first, who is only an observer, who came for a vote, and who holds a copy of a token that others have used up.
 */
import type { Claim } from '../formation/types.ts'
import type { Admitted } from '../membership/admission.ts'
import { type Redemptions, redeemedBy, roleOf } from '../membership/redemptions.ts'
import type { Fences } from './fences.ts'
import { peerIdOf } from './incarnations.ts'
import type { Welcome } from './newcomers.ts'

export interface GuestSurroundings {
  readonly fences: Fences
  redemptions(): Redemptions
  /** This PeerId is in the founding certificate. */
  isFounder(peerId: string): boolean
  /** PeerId of whom the founding certificate gives this seat; undefined until founded. */
  holderOf(seat: number): string | undefined
}

/** A bearer of a token whose uses all belong to others. */
export interface Copy {
  readonly peerId: string
  readonly detail: string
}

export class Guests {
  readonly #around: GuestSurroundings

  constructor(around: GuestSurroundings) {
    this.#around = around
  }

  /** PeerIds that have used this join token. */
  redeemedBy(tokenId: string): readonly string[] {
    return redeemedBy(this.#around.redemptions(), tokenId)
  }

  welcome({ peerId, incarnation, claim, credential }: Admitted): Welcome {
    const { fences } = this.#around
    if (fences.isBarred(incarnation) || fences.isRemoved(incarnation)) return { type: 'no' }
    if (claim !== undefined) return { type: this.#isTaken(claim) ? 'no' : 'take-in' }
    const { token } = credential
    if (token?.kind !== 'join') return { type: 'no' }
    const { tokenId, role, uses } = token
    const peers = this.redeemedBy(tokenId)
    if (peers.includes(peerId)) return { type: 'take-in' }
    return peers.length < uses ? { type: 'redeem', redeem: { tokenId, peerId, role, uses } } : { type: 'no' }
  }

  /** Its token entitles it to receive, and to nothing else. */
  isObserver(peerId: string): boolean {
    return !this.#around.isFounder(peerId) && roleOf(this.#around.redemptions(), peerId) === 'observer'
  }

  /** It is here by a join token, and has never had founding credentials. */
  isJoiner(peerId: string): boolean {
    return !this.#around.isFounder(peerId) && roleOf(this.#around.redemptions(), peerId) !== undefined
  }

  /** It came for a vote, never had one, and was not denied it. */
  awaitsVote(incarnation: string): boolean {
    const { fences, redemptions } = this.#around
    return roleOf(redemptions(), peerIdOf(incarnation)) === 'voter' && fences.history?.hasVoted(incarnation) === false
  }

  /** Of a member that has none. */
  voteOf(incarnation: string): 'by-itself' | 'when-promoted' | 'never' {
    if (this.isObserver(peerIdOf(incarnation))) return 'never'
    return this.awaitsVote(incarnation) ? 'by-itself' : 'when-promoted'
  }

  /** Its seat has become somebody else's: a founding token is used once, too. */
  #isTaken({ seat, peerId }: Claim): boolean {
    const holder = this.#around.holderOf(seat)
    return holder !== undefined && holder !== peerId
  }

  /**
   * Admission lets in whoever may still redeem a token, and before founding whoever claims a seat. When the last use is gone, or the
   * seat, those who came with a copy have to go.
   */
  copies(sessions: readonly Admitted[]): readonly Copy[] {
    return sessions.flatMap(({ peerId, claim, credential }) => {
      if (claim !== undefined && this.#isTaken(claim)) {
        const holder = this.#around.holderOf(claim.seat)!
        const detail = `${peerId} claims seat ${claim.seat}, which is ${holder}'s since founding: the token was copied`
        return [{ peerId, detail }]
      }
      const token = claim === undefined ? credential.token : undefined
      if (token?.kind !== 'join') return []
      const by = this.redeemedBy(token.tokenId)
      if (by.length < token.uses || by.includes(peerId)) return []
      const detail = `${peerId} brings join token ${token.tokenId}, which ${by.join(', ')} used up: it was copied, or handed out too often`
      return [{ peerId, detail }]
    })
  }
}

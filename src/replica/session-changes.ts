/**
 * What follows when a session opens or closes, when its peer is barred, and when it is to be cut.
 *
 * A peer with a session is told of where others are and what this node holds against it. *Heard* it is only while nothing bars it, or
 * us: formation and consensus are told of it then, and of its end, and nothing that it says to them counts outside of that time.
 */
import type { FoundingCertificate } from '../formation/types.ts'
import type { Admitted } from '../membership/admission.ts'
import type { BootWatch } from './boot-watch.ts'
import type { Consensus } from './consensus.ts'
import type { Fences } from './fences.ts'
import type { FoundersMet } from './founders-met.ts'
import type { Founding } from './founding.ts'
import type { Guests } from './guests.ts'
import type { ReplicaInit } from './init.ts'
import type { Mail } from './mail.ts'
import type { Newcomers } from './newcomers.ts'
import type { Outbox } from './outbox.ts'
import type { RequestDesk } from './requests.ts'
import type { Sessions } from './sessions.ts'
import { isSought } from './sought.ts'

interface Around {
  readonly self: ReplicaInit['self']
  readonly outbox: Outbox
  readonly sessions: Sessions
  readonly mail: Mail
  readonly founding: Founding
  readonly consensus: Consensus
  readonly requests: RequestDesk
  readonly fences: Fences
  readonly guests: Guests
  readonly newcomers: Newcomers
  readonly boots: BootWatch
  readonly met: FoundersMet
  /** Undefined until founded. */
  readonly certificate: () => FoundingCertificate | undefined
}

export class SessionChanges {
  readonly #around: Around

  constructor(around: Around) {
    this.#around = around
  }

  opened(peer: Admitted, now: number): void {
    const { sessions, consensus, mail, boots, fences, requests } = this.#around
    this.closed(peer.peerId, now)
    sessions.open(peer)
    const introductions = sessions.introductions(peer, (one) => isSought(one, consensus.view?.membership))
    for (const { to, records } of introductions) mail.send(to, { kind: 'peers', records })
    boots.opened(peer, now)
    fences.tell(peer, now)
    this.#hear(peer, now)
    requests.sessionOpened(peer.peerId, now)
    // It may have been admitted a moment before its seat, or the last use of its token, became somebody else's.
    this.turnAwayCopies([peer])
  }

  closed(peerId: string, now: number): void {
    const { sessions, consensus, mail, fences } = this.#around
    const peer = sessions.get(peerId)
    if (peer === undefined) return
    sessions.close(peer)
    mail.sessionClosed(peerId)
    fences.forget(peerId)
    consensus.snapshots.sessionClosed(peer.incarnation)
    this.#hush(peer, now)
  }

  /** From here on formation and consensus know that it is there. */
  #hear(peer: Admitted, now: number): void {
    const { consensus, mail, boots, fences, founding, met, newcomers } = this.#around
    const { incarnation, claim, priority } = peer
    if (claim !== undefined) met.meet(claim, now)
    if (fences.isBarred(incarnation) || boots.selfBar !== undefined) return
    mail.heard.add(incarnation)
    if (claim !== undefined) founding.tell({ type: 'founder-connected', claim }, now)
    this.handCertificate(peer)
    consensus.tell({ type: 'connected', peer: incarnation, priority }, now)
    newcomers.look(now)
  }

  #hush({ incarnation, claim }: Admitted, now: number): void {
    const { consensus, mail, founding } = this.#around
    if (!mail.heard.delete(incarnation)) return
    if (claim !== undefined) founding.tell({ type: 'founder-disconnected', incarnation }, now)
    consensus.tell({ type: 'disconnected', peer: incarnation }, now)
  }

  /** It is heard no more, from this moment on: neither a peer, nor, when it is we ourselves, anybody. */
  barred(incarnation: string, now: number): void {
    const { self, sessions, fences } = this.#around
    const isSelf = incarnation === self.incarnation
    for (const peer of sessions.list()) {
      if (!isSelf && peer.incarnation !== incarnation) continue
      this.#hush(peer, now)
      fences.tell(peer, now)
    }
  }

  /** Founders hand it to each other; whoever is or meets somebody without a seat gets it from here. */
  handCertificate({ peerId, claim, clusterId }: Admitted): void {
    const certificate = this.#around.certificate()
    const isBetweenFounders = claim !== undefined && this.#around.self.seat !== undefined
    if (certificate === undefined || clusterId !== undefined || isBetweenFounders) return
    this.#around.mail.send(peerId, { kind: 'formation', message: { type: 'certificate', certificate } })
  }

  /** Whoever is founded hands its certificate over when a session opens; one that was lost on the way comes with the next session. */
  pump(now: number): void {
    const { mail, founding } = this.#around
    for (const peerId of mail.overdue(now)) {
      // While it is being written here it is not lost.
      if (founding.stage === 'agreeing') return
      this.#cut(peerId, 'it speaks of a cluster, but the founding certificate did not arrive')
    }
  }

  /** Whose seat or token somebody else has used: of all, or of those who have just come. */
  turnAwayCopies(sessions = this.#around.sessions.list()): void {
    for (const { peerId, detail } of this.#around.guests.copies(sessions)) {
      this.#around.outbox.event({ type: 'alarm', code: 'token-already-used', detail })
      this.#cut(peerId, detail)
    }
  }

  #cut(peerId: string, detail: string): void {
    this.#around.outbox.event({ type: 'unwelcome', peerId, detail })
  }
}

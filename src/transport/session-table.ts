/**
 * One session per peer, whatever the connections below do.
 *
 * A link is one admitted connection. Two nodes that dial each other at the same moment get two links; a peer that lost its
 * side of a connection dials again while we still hold ours. The session hides this: `onSessionOpen` and `onSessionClose`
 * alternate, and frames flow all the time.
 *
 * Which link survives: the one dialled by the lower PeerId, then the one with the higher sequence number. Both sides know both
 * facts, so they choose the same one without asking. But the chosen one may be dead at the other end without our having noticed
 * (a silent NAT, a pulled cable), so it must prove itself first: it is probed, and until its echo comes frames leave on the newest
 * link, which has just proved itself by its admission. No echo in time: it is cut, and the newest stays.
 *
 * How the other one goes: each side sends `retired` as its last frame there, and closes once it has both sent and received one,
 * so that no frame is lost on the way. In a libp2p node that belongs to somebody else connections are not ours to close:
 * the other link stays as a spare.
 *
 * A link whose `instance` differs comes from another process of the same peer: it restarted. Whatever we held to the old process
 * is cut at once, and the session closes and opens, because the new process knows nothing of what was said to the old one.
 *
 * A link that carries nothing for a while is probed, and cut when silence goes on: a firewall that has forgotten a connection tells
 * neither side, and as long as both believe in it nobody dials. This is slow on purpose. Consensus has its own heartbeats; cutting
 * a link because its peer is busy would only make matters worse.
 *
 * Left out: order between frames on different links, or between bulk and the rest. Around a change of links they may overtake each other.
 */
import { compareText } from '../core/bytes.ts'
import type { Clock, Timer } from '../core/clock.ts'
import type { Admitted } from './gate.ts'
import { FrameKind, type Frame } from './framing.ts'
import type { Lane } from './port.ts'

/** One admitted connection. None of its methods throws. */
export interface Link {
  readonly admitted: Admitted
  /** Hex; names the peer's process. */
  readonly instance: string
  readonly dialledByUs: boolean
  /** The dialler's count of its dials. */
  readonly sequence: number
  /** Grows with everything that arrives, also within a frame. */
  readonly bytesReceived: number
  /** False when the frame was dropped. */
  send(kind: FrameKind, body: Uint8Array, lane?: Lane): boolean
  /** Writes what was sent now instead of at the end of the turn. */
  flush?(): void
  /** Closes after what was sent; reports through `SessionTable.closed`, at most once and never from within this call. */
  close(reason: string): void
  /** Cuts it now; the same report. */
  abort(reason: string): void
}

export interface SessionTableInit {
  /** Our PeerId. */
  readonly self: string
  readonly clock: Clock
  readonly probeTimeoutMs: number
  /** How often silence is looked for; a link is cut when it has been silent for three to four of these. */
  readonly idleProbeMs: number
  /** False: links that do not survive are kept as spares instead of being closed. */
  readonly closesLinks: boolean
  onOpen(peer: Admitted): void
  onClose(peerId: string, reason: string): void
  onFrame(peerId: string, body: Uint8Array): void
}

interface Held {
  readonly link: Link
  sentRetired: boolean
  receivedRetired: boolean
  /** At the last look at it. */
  bytesReceived: number
  /** Looks, one after the other, at which nothing had come since the one before. */
  silentLooks: number
}

interface Session {
  readonly peer: Admitted
  readonly instance: string
  /** Oldest first, never empty. */
  held: Held[]
  /** Where frames leave. */
  current: Held
  /** The link that should survive and has to prove itself. */
  probed: { readonly held: Held; readonly timer: Timer } | undefined
  retirement: Timer | undefined
}

/** How long we wait for the peer's `retired` before we close anyway. */
const RETIRE_TIMEOUT_MS = 2_000
const SILENT_LOOKS_MAX = 3
const NOTHING = new Uint8Array(0)

export class SessionTable {
  readonly #init: SessionTableInit
  readonly #sessions = new Map<string, Session>()
  #look: Timer | undefined

  constructor(init: SessionTableInit) {
    this.#init = init
  }

  has(peerId: string): boolean {
    return this.#sessions.has(peerId)
  }

  peers(): readonly string[] {
    return [...this.#sessions.keys()].toSorted(compareText)
  }

  opened(link: Link): void {
    const { peerId } = link.admitted
    const session = this.#sessions.get(peerId)
    if (session === undefined) this.#begin(link)
    else if (session.instance === link.instance && session.peer.storeId === link.admitted.storeId) {
      const held = hold(link)
      session.held.push(held)
      session.current = held
      this.#settle(session)
    } else {
      this.#end(session, 'the peer restarted')
      for (const old of session.held) old.link.abort('the peer restarted')
      this.#begin(link)
    }
  }

  closed(link: Link, reason: string): void {
    const session = this.#sessionOf(link)
    if (session === undefined) return
    session.held = session.held.filter((held) => held.link !== link)
    const newest = session.held.at(-1)
    if (newest === undefined) {
      this.#end(session, reason)
      return
    }
    if (session.current.link === link) session.current = newest
    if (session.held.length === 1) newest.sentRetired = false
    this.#settle(session)
  }

  received(link: Link, frame: Frame): void {
    const session = this.#sessionOf(link)
    const held = session?.held.find((one) => one.link === link)
    if (session === undefined || held === undefined) return
    switch (frame.kind) {
      case FrameKind.data:
        held.receivedRetired = false
        this.#init.onFrame(session.peer.peerId, frame.body)
        return
      case FrameKind.probe:
        link.send(FrameKind.echo, NOTHING)
        return
      case FrameKind.echo:
        if (session.probed?.held === held) this.#prefer(session, held)
        return
      case FrameKind.retired:
        held.receivedRetired = true
        if (held.sentRetired) link.close('another connection to the peer survives')
        return
      case FrameKind.bye:
        link.abort('the peer closed the session')
        return
      default:
        link.abort(`a frame of unknown kind ${frame.kind}`)
    }
  }

  send(peerId: string, body: Uint8Array, lane?: Lane): boolean {
    return this.#sessions.get(peerId)?.current.link.send(FrameKind.data, body, lane) ?? false
  }

  flush(): void {
    for (const { current } of this.#sessions.values()) current.link.flush?.()
  }

  /** The session is closed when this returns; its links follow. */
  close(peerId: string, reason: string): void {
    const session = this.#sessions.get(peerId)
    if (session === undefined) return
    this.#end(session, reason)
    for (const { link } of session.held) link.close(reason)
  }

  #begin(link: Link): void {
    const held = hold(link)
    const session: Session = {
      peer: link.admitted,
      instance: link.instance,
      held: [held],
      current: held,
      probed: undefined,
      retirement: undefined
    }
    this.#sessions.set(link.admitted.peerId, session)
    this.#look ??= this.#lookLater()
    this.#init.onOpen(link.admitted)
  }

  #end(session: Session, reason: string): void {
    if (this.#sessions.get(session.peer.peerId) !== session) return
    this.#sessions.delete(session.peer.peerId)
    session.probed?.timer.cancel()
    session.retirement?.cancel()
    if (this.#sessions.size === 0) {
      this.#look?.cancel()
      this.#look = undefined
    }
    this.#init.onClose(session.peer.peerId, reason)
  }

  #sessionOf(link: Link): Session | undefined {
    const session = this.#sessions.get(link.admitted.peerId)
    return session?.held.some((held) => held.link === link) === true ? session : undefined
  }

  /** Works out which link should survive, and makes it prove that it can. */
  #settle(session: Session): void {
    session.probed?.timer.cancel()
    session.probed = undefined
    const survivor = session.held.toSorted((a, b) => this.#compare(b.link, a.link))[0]!
    if (session.held.length === 1) return
    // The newest has just been admitted: that was its proof.
    if (survivor === session.held.at(-1)) {
      this.#prefer(session, survivor)
      return
    }
    const { clock, probeTimeoutMs } = this.#init
    const timer = clock.setTimer(probeTimeoutMs, () => {
      // When it was we who were busy, the echo is already waiting to be read.
      clock.afterIo(() => {
        if (session.probed?.timer === timer) survivor.link.abort(`no answer within ${probeTimeoutMs} ms`)
      })
    })
    session.probed = { held: survivor, timer }
    survivor.link.send(FrameKind.probe, NOTHING)
  }

  #prefer(session: Session, survivor: Held): void {
    session.probed?.timer.cancel()
    session.probed = undefined
    session.current = survivor
    survivor.sentRetired = false
    if (!this.#init.closesLinks) return
    for (const other of session.held) if (other !== survivor) this.#retire(other)
    session.retirement?.cancel()
    session.retirement = this.#init.clock.setTimer(RETIRE_TIMEOUT_MS, () => {
      for (const { link, sentRetired } of session.held) if (sentRetired) link.close('retired; the peer did not answer')
    })
  }

  #retire(held: Held): void {
    if (held.sentRetired) return
    held.sentRetired = true
    held.link.send(FrameKind.retired, NOTHING)
    if (held.receivedRetired) held.link.close('another connection to the peer survives')
  }

  #lookLater(): Timer {
    const { clock, idleProbeMs } = this.#init
    const timer = clock.setTimer(idleProbeMs, () => {
      // What has arrived while we were busy is heard first.
      clock.afterIo(() => {
        if (this.#look !== timer) return
        this.#look = this.#lookLater()
        for (const { held } of [...this.#sessions.values()]) for (const one of [...held]) this.#listenFor(one)
      })
    })
    return timer
  }

  #listenFor(held: Held): void {
    const { bytesReceived } = held.link
    held.silentLooks = bytesReceived === held.bytesReceived ? held.silentLooks + 1 : 0
    held.bytesReceived = bytesReceived
    if (held.silentLooks === 1) held.link.send(FrameKind.probe, NOTHING)
    if (held.silentLooks >= SILENT_LOOKS_MAX) {
      held.link.abort(`silent for ${SILENT_LOOKS_MAX * this.#init.idleProbeMs} ms`)
    }
  }

  /** Positive when `a` should survive rather than `b`. */
  #compare(a: Link, b: Link): number {
    const dialler = (link: Link): string => (link.dialledByUs ? this.#init.self : link.admitted.peerId)
    return compareText(dialler(b), dialler(a)) || a.sequence - b.sequence
  }
}

const hold = (link: Link): Held => ({
  link,
  sentRetired: false,
  receivedRetired: false,
  bytesReceived: link.bytesReceived,
  silentLooks: 0
})

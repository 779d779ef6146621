/**
 * Watches over process lives: makes this node's own boot statements, passes those of members on, and tells who must not vote.
 *
 * **What this node says.** Its first statement is made before the replica begins and is shown in the hello. Further ones follow
 * when a voter has something to say that is durable: a new term or vote after a second (an election is not held up by it), a
 * later commit index every ten seconds. They go to everybody with a session; whoever connects gets the newest ones of all voters,
 * its own store's among them. So every voter soon holds a recent, signed account of every disk that votes, also when those who
 * heard the promises themselves are gone. Learners promise nothing that counts, and there may be a thousand of them.
 *
 * **What it makes of its own past.** A statement of its own store that it did not make and does not remember says that this disk
 * is an old one, or that another machine has it too. Then it takes no part in formation and consensus any more, whatever the others
 * do, and says so in a last statement that names what it has seen: the proof for everybody (`membership/boots.ts`).
 *
 * **What it costs.** A statement is looked at only when it is about a voter, or about whoever has a session, and says something
 * new; only then is its signature checked, at most `CHECKS_AT_ONCE` for one peer, and `CHECKS_PER_SECOND` after that.
 */
import { compareText } from '../core/bytes.ts'
import { invariant } from '../core/invariant.ts'
import type { BootProgress, BootStatement } from '../identity/boot-statement.ts'
import type { Admitted } from '../membership/admission.ts'
import {
  type Bar,
  BootMemory,
  type IdentityAlarm,
  isOutdated,
  type KnownStore,
  lifeText,
  otherDisk,
  recoveryOf,
  storeOf,
  strangeToUs
} from '../membership/boots.ts'
import type { RaftMessage } from '../raft/messages.ts'
import { Allowances } from './allowance.ts'
import { STATEMENTS_MAX } from './frame-kinds.ts'
import type { Frame } from './frames.ts'
import { peerIdOf } from './incarnations.ts'
import type { ReplicaEvent } from './types.ts'

/** After a new term or vote: once an election is over. */
export const VOTE_STATED_AFTER_MS = 1_000
/** Between two statements that only tell of a longer log. */
export const PROGRESS_STATED_EVERY_MS = 10_000
/**
 * How long a new life or vote of somebody else may wait until it is written. After an election all voters state theirs within moments, and
 * so do those who meet: one write for all of them.
 */
export const GRAVE_KEPT_WITHIN_MS = 100
/** How long news that no safety hangs on may wait until it is written. */
export const KEPT_WITHIN_MS = 60_000
/** Signatures that one peer may make us check, at once and then a second. */
export const CHECKS_AT_ONCE = 64
export const CHECKS_PER_SECOND = 8
/** Statements that one newcomer is told. */
const TOLD_MAX = 256

/** What the replica cannot do itself: documents have their own room, and keys are nobody's. */
export interface StatementCodec {
  /** The structure of a statement of this domain and generation; undefined for anything else. */
  decode(bytes: Uint8Array): BootStatement | undefined
  /** The signature holds. */
  isGenuine(statement: BootStatement): boolean
  /** What this node's key is to sign. */
  toSign(content: OwnStatement): Uint8Array
  seal(content: OwnStatement, signature: Uint8Array): Uint8Array
}

export interface OwnStatement extends BootProgress {
  readonly sequence: number
  readonly seen: string | undefined
}

export interface BootWatchInit {
  /** Our own first statement, as the hello shows it. */
  readonly own: BootStatement
  readonly codec: StatementCodec
  /** What earlier lives of this process have kept. */
  readonly known: readonly KnownStore[]
}

export interface BootSurroundings {
  /** By PeerId. */
  sessions(): readonly Admitted[]
  session(peerId: string): Admitted | undefined
  isVoter(incarnation: string): boolean
  /** Undefined while there is no consensus, or its term is on its way to the disk. */
  progress(): BootProgress | undefined
  /** If this node leads that term: what has committed and is on its own disk. */
  committedAsLeaderOf(term: number): number | undefined
  sign(sequence: number, payload: Uint8Array): void
  send(peerId: string, frame: Frame): void
  event(event: ReplicaEvent): void
  /** From now on nobody hears this incarnation. */
  barred(incarnation: string, now: number): void
}

export class BootWatch {
  readonly #around: BootSurroundings
  readonly #codec: StatementCodec
  readonly #self: string
  /** Of this life: the first one says what the disk held, the newest one is what others are told. */
  readonly #first: BootStatement
  #newest: BootStatement
  readonly #memory: BootMemory
  readonly #checks = new Allowances(CHECKS_AT_ONCE, CHECKS_PER_SECOND)
  /** Pairs of disks of one key that were reported. */
  readonly #twins = new Set<string>()
  #signing: OwnStatement | undefined
  #sequence = 0
  #seen: string | undefined
  #stateAt = Infinity
  #statedAt = -Infinity
  #keepAt = Infinity
  /** Members are others than when it was written: what is known of them is written with the next step. */
  #isChanged = false

  constructor({ own, codec, known }: BootWatchInit, around: BootSurroundings) {
    this.#around = around
    this.#codec = codec
    this.#self = storeOf(own)
    this.#first = this.#newest = own
    this.#memory = new BootMemory(this.#self, known)
  }

  // ── Who is heard ────────────────────────────────────────────────────────────────────────────────────────────────────

  bar(incarnation: string): Bar | undefined {
    return this.#memory.bar(incarnation)
  }

  /** Neither formation nor consensus hears it, and nothing is sent to it. */
  isMute(incarnation: string): boolean {
    const known = this.#memory.get(incarnation)
    if (known === undefined) return false
    return known.bar !== undefined || this.#isOutdated(incarnation, known)
  }

  /** Our own disk is not what it should be. */
  get selfBar(): Bar | undefined {
    return this.bar(this.#self)
  }

  /** Its session is of a life that is not the newest that is known of it. */
  #isOutdated(incarnation: string, { newest }: KnownStore): boolean {
    const peer = this.#around.session(peerIdOf(incarnation))
    return peer?.incarnation === incarnation && isOutdated(newest, peer.statement)
  }

  /** By incarnation: every member and peer that is barred, with the proof. */
  bars(): readonly (Bar & { readonly incarnation: string })[] {
    const all: (Bar & { readonly incarnation: string })[] = []
    for (const [incarnation, { bar }] of this.#memory.list()) if (bar !== undefined) all.push({ ...bar, incarnation })
    return all.toSorted((a, b) => compareText(a.incarnation, b.incarnation))
  }

  // ── Sessions ────────────────────────────────────────────────────────────────────────────────────────────────────────

  opened(peer: Admitted, now: number): void {
    const { peerId, incarnation, statement } = peer
    if (this.#memory.get(incarnation) === undefined) this.#otherDisks(statement, false)
    this.#note(statement, undefined, now)
    this.#send([peer], this.#storiesFor(peer))
    this.#tell(statement.bytes, (other) => other.peerId !== peerId && this.#around.isVoter(other.incarnation))
  }

  /** Somebody was turned away as a copy of whoever has a session: what it showed is genuine all the same. */
  sighted(statement: BootStatement, now: number): void {
    if (this.#memory.get(storeOf(statement)) === undefined) this.#otherDisks(statement, true)
    else this.#note(statement, undefined, now)
  }

  #otherDisks(statement: BootStatement, live: boolean): void {
    for (const [id, { newest }] of this.#memory.list()) {
      const isLive = this.#around.session(newest.peerId)?.incarnation === id
      if (newest.peerId !== statement.peerId || newest.storeId === statement.storeId || isLive !== live) continue
      const pair = [id, storeOf(statement)].toSorted(compareText).join(' ')
      if (live && this.#twins.has(pair)) continue
      if (this.#twins.size < CHECKS_AT_ONCE) this.#twins.add(pair)
      this.#alarm(otherDisk(statement, newest, live))
    }
  }

  // ── Statements of others ────────────────────────────────────────────────────────────────────────────────────────────

  /** What a peer brings, about itself or about others. */
  heard(from: Admitted, documents: readonly Uint8Array[], now: number): void {
    const statements = documents.flatMap((bytes) => this.#codec.decode(bytes) ?? [])
    for (const statement of statements) {
      const witness = statements.find(({ id }) => id === statement.seen)
      if (!this.#concerns(statement)) continue
      if (storeOf(statement) === this.#self) {
        this.#heardOfSelf(from, statement, now)
        continue
      }
      if (!this.#memory.isNews(statement, witness) || !this.#isGenuine(from, statement, now)) continue
      const sworn = witness !== undefined && this.#isGenuine(from, witness, now) ? witness : undefined
      this.#note(statement, sworn, now)
      // From its author: others may have no connection to it.
      if (statement.peerId === from.peerId && this.#around.isVoter(from.incarnation)) {
        this.#tell(statement.bytes, (other) => other.peerId !== from.peerId && this.#around.isVoter(other.incarnation))
      }
    }
  }

  #concerns(statement: BootStatement): boolean {
    const id = storeOf(statement)
    return id === this.#self || this.#around.isVoter(id) || this.#around.session(statement.peerId)?.incarnation === id
  }

  #isGenuine({ peerId }: Admitted, statement: BootStatement, now: number): boolean {
    return this.#checks.take(peerId, now) && this.#codec.isGenuine(statement)
  }

  #note(statement: BootStatement, witness: BootStatement | undefined, now: number): void {
    this.settle()
    const id = storeOf(statement)
    const known = this.#memory.get(id)?.newest
    const peer = this.#around.session(statement.peerId)
    const live = peer?.incarnation === id ? peer.statement : undefined
    const alarm = this.#memory.note(statement, { witness, live })
    this.#memory.trim((other) => this.#isNeeded(other))
    if (alarm !== undefined) this.#convict(id, alarm, now)
    const { newest } = this.#memory.get(id)!
    if (newest === known) return
    const isGrave =
      known === undefined ||
      newest.boot !== known.boot ||
      newest.term !== known.term ||
      newest.votedFor !== known.votedFor
    this.#keep(now + (isGrave ? GRAVE_KEPT_WITHIN_MS : KEPT_WITHIN_MS))
  }

  #convict(incarnation: string, alarm: IdentityAlarm, now: number): void {
    this.#keep(now)
    this.#alarm(alarm)
    const bar = this.bar(incarnation)!
    if (bar.proved) this.#send(this.#around.sessions(), bar.statements)
    this.#around.barred(incarnation, now)
  }

  #alarm({ code, detail, statements }: IdentityAlarm): void {
    this.#around.event({ type: 'alarm', code, detail, statements: statements.map(({ bytes }) => bytes) })
  }

  // ── Our own store ───────────────────────────────────────────────────────────────────────────────────────────────────

  #heardOfSelf(from: Admitted, statement: BootStatement, now: number): void {
    if (this.selfBar !== undefined) return
    const why = strangeToUs(this.#first, this.#sequence, statement)
    if (why === undefined || !this.#isGenuine(from, statement, now)) return
    const detail = `this node, ${this.#self} in ${lifeText(this.#first)}, ${why}: its disk was set back, or is in use on another machine; it has no vote any more; ${recoveryOf(this.#first.peerId)}`
    const statements = [this.#first, statement]
    const bar = { code: 'rolled-back', detail, statements: statements.map(({ bytes }) => bytes), proved: true } as const
    this.#memory.convict(this.#first, bar)
    this.#keep(now)
    this.#alarm({ code: bar.code, detail, statements })
    this.#seen = statement.id
    this.#stateAt = now
    this.#around.barred(this.#self, now)
  }

  // ── What is said about ourselves ────────────────────────────────────────────────────────────────────────────────────

  /** `vote`: another term or vote is on its way to the disk. `progress`: more has committed. */
  moved(what: 'vote' | 'progress', now: number): void {
    const at =
      what === 'vote'
        ? now + VOTE_STATED_AFTER_MS
        : Math.max(now + VOTE_STATED_AFTER_MS, this.#statedAt + PROGRESS_STATED_EVERY_MS)
    if (at < this.#stateAt) this.#stateAt = at
  }

  /** `keeps`: there is a cluster, and members to remember. */
  deadline(keeps: boolean): number | undefined {
    const at = Math.min(this.#signing === undefined ? this.#stateAt : Infinity, keeps ? this.#keepAt : Infinity)
    return at === Infinity ? undefined : at
  }

  pump(now: number): void {
    if (now < this.#stateAt || this.#signing !== undefined) return
    if (!this.#around.isVoter(this.#self) && this.#seen === undefined) {
      this.#stateAt = Infinity
      return
    }
    const progress = this.#around.progress() ?? (this.#seen === undefined ? undefined : this.#newest)
    if (progress === undefined) {
      this.#stateAt = now + VOTE_STATED_AFTER_MS
      return
    }
    this.#stateAt = Infinity
    this.#statedAt = now
    const { term, votedFor, lastIndex, commitIndex } = progress
    this.#signing = { term, votedFor, lastIndex, commitIndex, sequence: ++this.#sequence, seen: this.#seen }
    this.#around.sign(this.#sequence, this.#codec.toSign(this.#signing))
  }

  signed(sequence: number, signature: Uint8Array): void {
    if (this.#signing?.sequence !== sequence) return
    const made = this.#codec.decode(this.#codec.seal(this.#signing, signature))
    invariant(made !== undefined, 'our own statement is one')
    this.#signing = undefined
    this.#newest = made
    // Whoever is told what we have seen must be able to check it.
    const documents = made.seen === undefined ? [made.bytes] : [...this.selfBar!.statements, made.bytes]
    this.#send(this.#around.sessions(), documents)
  }

  /** What a newcomer is told: what it should know of itself, of us, and of the voters. */
  #storiesFor({ incarnation, statement }: Admitted): readonly Uint8Array[] {
    const own = this.#memory.get(incarnation)
    const stories = own === undefined || own.newest.id === statement.id ? [] : [own.newest.bytes]
    if (this.#newest !== this.#first) stories.push(this.#newest.bytes)
    const others = [...this.#memory.list()]
      .filter(
        ([id, { bar }]) => id !== this.#self && (id === incarnation || bar !== undefined || this.#around.isVoter(id))
      )
      .toSorted(([a], [b]) => compareText(a, b))
    for (const [id, { newest, bar }] of others) {
      if (bar?.proved === true) stories.push(...bar.statements)
      else if (id !== incarnation) stories.push(newest.bytes)
    }
    return stories.slice(0, TOLD_MAX)
  }

  #tell(document: Uint8Array, whom: (peer: Admitted) => boolean): void {
    this.#send([...this.#around.sessions()].filter(whom), [document])
  }

  #send(peers: Iterable<Admitted>, documents: readonly Uint8Array[]): void {
    for (let i = 0; i < documents.length; i += STATEMENTS_MAX) {
      const frame = { kind: 'boots', statements: documents.slice(i, i + STATEMENTS_MAX) } as const
      for (const { peerId } of peers) this.#around.send(peerId, frame)
    }
  }

  // ── What we were promised ───────────────────────────────────────────────────────────────────────────────────────────

  /** A message of consensus, in a session of this incarnation. Only what its sender must have on disk is a promise. */
  promised(incarnation: string, message: RaftMessage, now: number): void {
    if (message.type === 'pre-vote' || message.type === 'pre-vote-offer' || message.type === 'vote') return
    const { term } = message
    const promises = this.#memory.get(incarnation)?.promises
    if (promises === undefined) return
    if (message.type === 'append-accepted') {
      const isToUs = this.#around.committedAsLeaderOf(term) !== undefined
      const match = promises.matchTerm === term ? Math.max(promises.match, message.match) : message.match
      if (isToUs) this.#memory.promised(incarnation, { term, matchTerm: term, match })
    } else if (message.type === 'vote-reply' && message.granted) {
      this.#memory.promised(incarnation, { term, votedTerm: Math.max(promises.votedTerm, term) })
    } else if (term > promises.term) this.#memory.promised(incarnation, { term })
    this.#keep(now + KEPT_WITHIN_MS)
  }

  /** Entries that were acknowledged to us as the leader, and have committed since. Also to be called before we lead no more. */
  settle(): void {
    for (const [id, { promises }] of this.#memory.list()) {
      const committed = promises.matchTerm === 0 ? undefined : this.#around.committedAsLeaderOf(promises.matchTerm)
      const kept = Math.min(promises.match, committed ?? 0)
      if (kept > promises.kept) this.#memory.promised(id, { kept })
    }
  }

  // ── What is kept ────────────────────────────────────────────────────────────────────────────────────────────────────

  #isNeeded(incarnation: string): boolean {
    return this.#around.isVoter(incarnation) || this.#around.session(peerIdOf(incarnation))?.incarnation === incarnation
  }

  #keep(at: number): void {
    if (at < this.#keepAt) this.#keepAt = at
  }

  /** Membership has changed: other stores are to be kept. */
  membersChanged(): void {
    this.#isChanged = true
  }

  /** What must outlive this process, if it is time to write it: voters, and whoever is barred. In a fixed order. */
  toKeep(now: number): readonly KnownStore[] | undefined {
    if (!this.#isChanged && now < this.#keepAt) return undefined
    this.#isChanged = false
    this.#keepAt = Infinity
    this.settle()
    return [...this.#memory.list()]
      .filter(([id, { bar }]) => bar !== undefined || this.#around.isVoter(id))
      .toSorted(([a], [b]) => compareText(a, b))
      .map(([, store]) => store)
  }
}

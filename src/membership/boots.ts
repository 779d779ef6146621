/**
 * What the process lives of a store give away (FAULTS P4 to P6), and what is remembered to tell.
 *
 * Three kinds of evidence bar an incarnation, which then neither votes nor is counted, for good:
 *
 * 1. *Two of its own signed statements that contradict each other* (`identity/boot-contradiction.ts`). They convince anybody, so they
 *    are handed on, and nobody needs to believe who hands them on.
 * 2. *A boot that has forgotten what it had promised us.* It says, signed, where its disk ends; and we remember the terms in which
 *    it has answered us, the vote that it gave us, the entries that it has acknowledged to us. That is our own evidence: it bars
 *    the incarnation here and convinces nobody else.
 * 3. Until there is proof: a session of a life that is older than the newest one that we know is not heard (`isOutdated`). No alarm
 *    and no bar follows from that alone, because a connection may have been opened right before its process died.
 *
 * A lost disk is another store, so it is news, and nothing worse; a key that is alive on two disks is reported, and has one vote at
 * most, because votes belong to disks. Left out: a store whose promises nobody remembers. It is believed.
 */
import { contradictionOf, isNewer, isSameLife, lifeText } from '../identity/boot-contradiction.ts'
import type { BootStatement } from '../identity/boot-statement.ts'

export type IdentityAlarmCode =
  /** A disk does not hold what it held before. Its votes cannot be trusted. */
  | 'rolled-back'
  /** Two process lives under one key at the same time. */
  | 'clone'
  /** The key lives on with an empty disk: a new incarnation. */
  | 'disk-lost'

export interface IdentityAlarm {
  readonly code: IdentityAlarmCode
  /** One sentence that names both lives and what to do. */
  readonly detail: string
  /** The signed statements that it rests on. */
  readonly statements: readonly BootStatement[]
}

/** Why an incarnation must not vote. */
export interface Bar {
  readonly code: 'rolled-back' | 'clone'
  readonly detail: string
  /** Encoded boot statements; with two that contradict each other anybody can check it. */
  readonly statements: readonly Uint8Array[]
  /** The statements prove it by themselves. */
  readonly proved: boolean
}

/** What a store has promised to this node. Every number only rises; 0: nothing. */
export interface Promises {
  /** Newest term in which it has answered us, or led. */
  readonly term: number
  /** Newest term in which it has voted for us. */
  readonly votedTerm: number
  /** As the leader of `matchTerm` we were told that its log is ours up to `match`. */
  readonly matchTerm: number
  readonly match: number
  /** As much of that as had committed while we led: it can never go again. */
  readonly kept: number
}

export const NO_PROMISES: Promises = { term: 0, votedTerm: 0, matchTerm: 0, match: 0, kept: 0 }

/** What is known of one store. */
export interface KnownStore {
  readonly newest: BootStatement
  /** The last one that is known of an earlier boot: whose life it was that comes back. */
  readonly before: BootStatement | undefined
  readonly promises: Promises
  readonly bar: Bar | undefined
}

export { lifeText }

/** Stores that are remembered. Beyond it, those without a session go first, the oldest news first. */
export const STORES_REMEMBERED_MAX = 1_024

export const storeOf = ({ peerId, storeId }: Pick<BootStatement, 'peerId' | 'storeId'>): string =>
  `${peerId}#${storeId}`

/** What makes the machine of a barred store a voter again; for alarms and status. */
export const recoveryOf = (peerId: string): string =>
  `to end it, stop every process of it, start one with wal and store-id removed from its data directory, then \`quorate replace ${peerId}\``

/** This life is not the newest that is known of its store. */
export const isOutdated = (newest: BootStatement, statement: BootStatement): boolean =>
  newest !== statement && !isSameLife(newest, statement) && !isNewer(statement, newest)

export class BootMemory {
  /** Our own incarnation, as a store that may have voted for us. */
  readonly #self: string
  /** By incarnation, oldest news first. */
  readonly #stores = new Map<string, KnownStore>()

  constructor(self: string, known: readonly KnownStore[] = []) {
    this.#self = self
    for (const store of known) this.#stores.set(storeOf(store.newest), store)
  }

  get(incarnation: string): KnownStore | undefined {
    return this.#stores.get(incarnation)
  }

  /** Oldest news first. */
  list(): Iterable<readonly [string, KnownStore]> {
    return this.#stores
  }

  bar(incarnation: string): Bar | undefined {
    return this.#stores.get(incarnation)?.bar
  }

  /** If it is genuine, it says something that is not known: worth looking at its signature. */
  isNews(statement: BootStatement, witness?: BootStatement): boolean {
    const known = this.#stores.get(storeOf(statement))
    if (known === undefined) return true
    if (known.bar?.proved === true) return false
    return isNewer(statement, known.newest) || contradicted(known, statement, witness) !== undefined
  }

  /**
   * A statement that its store has certainly made. `witness` is another one; `live` is the life that this node has a session
   * with now. Answers the alarm that bars the store from now on.
   */
  note(statement: BootStatement, { witness, live }: NoteContext = {}): IdentityAlarm | undefined {
    const id = storeOf(statement)
    const known = this.#stores.get(id)
    if (known === undefined) {
      this.#set(id, { newest: statement, before: undefined, promises: NO_PROMISES, bar: undefined })
      return undefined
    }
    if (known.bar?.proved === true) return undefined
    const alarm =
      proof(known, statement, witness, live) ?? (known.bar === undefined ? this.#broken(known, statement) : undefined)
    const [newest, before] = advance(known, statement)
    this.#set(id, { ...known, newest, before, bar: alarm === undefined ? known.bar : alarm.bar })
    return alarm
  }

  /** It has a session or has said something: it is not what is forgotten next. */
  #set(incarnation: string, store: KnownStore): void {
    this.#stores.delete(incarnation)
    this.#stores.set(incarnation, store)
  }

  /** It is barred because of something that no statement about it alone would show. */
  convict(statement: BootStatement, bar: Bar): void {
    const id = storeOf(statement)
    const known = this.#stores.get(id) ?? { newest: statement, before: undefined, promises: NO_PROMISES }
    this.#set(id, { ...known, bar })
  }

  /** Drops what is too much; `isNeeded` is never dropped as long as anything else is left. */
  trim(isNeeded: (incarnation: string) => boolean): void {
    for (const id of this.#stores.keys()) {
      if (this.#stores.size <= STORES_REMEMBERED_MAX) return
      if (!isNeeded(id)) this.#stores.delete(id)
    }
    for (const id of this.#stores.keys()) {
      if (this.#stores.size <= STORES_REMEMBERED_MAX) return
      this.#stores.delete(id)
    }
  }

  /** It has promised this to us, just now. */
  promised(incarnation: string, more: Partial<Promises>): void {
    const known = this.#stores.get(incarnation)
    if (known === undefined) return
    const { promises } = known
    const next = { ...promises, ...more }
    this.#stores.set(incarnation, { ...known, promises: { ...next, term: Math.max(next.term, promises.term) } })
  }

  /** What a later boot has forgotten of what it had promised us. */
  #broken({ newest, promises }: KnownStore, statement: BootStatement): BarringAlarm | undefined {
    if (statement.boot <= newest.boot) return undefined
    const what = forgotten(promises, statement, this.#self)
    if (what === undefined) return undefined
    return alarmOf('rolled-back', statement, `${what} in ${lifeText(statement)}`, [newest, statement], false)
  }
}

export interface NoteContext {
  readonly witness?: BootStatement | undefined
  readonly live?: Pick<BootStatement, 'boot' | 'bootNonce'> | undefined
}

/** An alarm that bars the store which it is about. */
export interface BarringAlarm extends IdentityAlarm {
  readonly bar: Bar
}

function contradicted(known: KnownStore, statement: BootStatement, witness: BootStatement | undefined) {
  for (const other of [known.newest, known.before, witness]) {
    const contradiction = other === undefined ? undefined : contradictionOf(other, statement)
    if (contradiction !== undefined) return { contradiction, other: other! }
  }
  return undefined
}

function proof(
  known: KnownStore,
  statement: BootStatement,
  witness: BootStatement | undefined,
  live: NoteContext['live']
): BarringAlarm | undefined {
  const found = contradicted(known, statement, witness)
  if (found === undefined) return undefined
  const { contradiction, other } = found
  // Two lives of one disk: is the other one alive, or was it known before it came back? Then there are two machines.
  const isTwin =
    contradiction.kind === 'two-lives' &&
    ((live !== undefined && !isSameLife(live, statement)) ||
      (statement.seen !== undefined && known.before !== undefined && isSameLife(known.before, statement)))
  return alarmOf(isTwin ? 'clone' : 'rolled-back', statement, contradiction.reason, [other, statement], true)
}

function alarmOf(
  code: Bar['code'],
  { peerId, storeId }: BootStatement,
  reason: string,
  statements: readonly BootStatement[],
  proved: boolean
): BarringAlarm {
  const what = code === 'clone' ? 'a copy of its disk is in use' : 'its disk was set back, or copied'
  const detail = `${peerId}#${storeId} ${reason}: ${what}; it has no vote here; ${recoveryOf(peerId)}`
  return { code, detail, statements, bar: { code, detail, statements: statements.map(({ bytes }) => bytes), proved } }
}

function advance(known: KnownStore, statement: BootStatement): readonly [BootStatement, BootStatement | undefined] {
  const { newest, before } = known
  if (isNewer(statement, newest)) return [statement, statement.boot > newest.boot ? newest : before]
  const isBefore = statement.boot < newest.boot && (before === undefined || isNewer(statement, before))
  return [newest, isBefore ? statement : before]
}

/** With both numbers. */
function forgotten(promises: Promises, { term, votedFor, lastIndex }: BootStatement, self: string): string | undefined {
  if (term < promises.term) return `answered this node in term ${promises.term}, and knows only of term ${term}`
  if (promises.votedTerm > 0 && term === promises.votedTerm && votedFor !== self) {
    return `voted for this node in term ${term}, and remembers ${votedFor === undefined ? 'no vote' : `one for ${votedFor}`}`
  }
  const held = Math.max(promises.kept, term === promises.matchTerm ? promises.match : 0)
  return lastIndex < held ? `acknowledged entry ${held} to this node, and its log ends at ${lastIndex}` : undefined
}

/**
 * Why a statement of our own store is neither ours nor remembered by the disk that this life began with; undefined when all is well.
 * `first` is our own first statement, `sequence` the number of our newest.
 */
export function strangeToUs(first: BootStatement, sequence: number, statement: BootStatement): string | undefined {
  if (isSameLife(first, statement)) {
    return statement.sequence > sequence ? `has said more in ${lifeText(first)} than it knows of` : undefined
  }
  if (statement.boot >= first.boot) return `was also started as ${lifeText(statement)}`
  return contradictionOf(first, statement)?.reason
}

/** The key lives on another disk than before: news about a disk that is lost, or about a key that was copied. */
export function otherDisk(statement: BootStatement, known: BootStatement, live: boolean): IdentityAlarm {
  const { peerId, storeId } = statement
  const statements = [known, statement]
  return live
    ? {
        code: 'clone',
        detail: `${peerId} is alive on two disks, ${known.storeId} in ${lifeText(known)} and ${storeId} in ${lifeText(statement)}: its key was copied; the second one is not let in. Stop one of them`,
        statements
      }
    : { code: 'disk-lost', detail: `${peerId} was on disk ${known.storeId} and is now on ${storeId}`, statements }
}

/** Invariants 9, 10 and 20: configurations follow each other one at a time and never decide apart, and only voters lead. */
import { RecentMap } from '../../core/recent-map.ts'
import { decodeMembership, entryTypeOf } from '../../raft/messages.ts'
import type { ConsensusView, Membership } from '../../raft/types.ts'
import { namedBy } from '../../replica/incarnations.ts'
import { decodeSnapshot } from '../../replica/snapshot.ts'
import type { Recovered, StoredEntry } from '../../storage/port.ts'
import type { MEMBERSHIP_STEPS } from '../coverage.ts'
import type { Machine } from '../machine.ts'
import type { Process } from '../process.ts'
import type { CredentialOracle } from './credentials.ts'
import type { Memory, View } from './memory.ts'
import { foundingOf } from './offices.ts'

interface Version {
  readonly index: number
  readonly membership: Membership
}

export class MemberOracle {
  readonly #memory: Memory
  readonly #credentials: CredentialOracle
  /** Pairs of configurations whose quorums are known to meet. */
  readonly #meet = new Set<string>()
  /** Configuration changes in the order of a log, by the log's owner; the first is the founding one. */
  readonly #history = new Map<View, Version[]>()
  /** The same for what disks hold, by incarnation and machine. */
  readonly #stored = new Map<string, Version[]>()

  constructor(memory: Memory, credentials: CredentialOracle) {
    this.#memory = memory
    this.#credentials = credentials
  }

  recovered(process: Process): void {
    this.#stored.set(process.machine.disk, recoveredVersions(process.recovery))
  }

  /** A snapshot has taken the place of the log on disk. */
  storedSnapshot(process: Process, snapshot: { readonly data: Uint8Array }): void {
    this.#stored.set(process.machine.disk, snapshotVersion(snapshot))
  }

  persisted(process: Process, entries: readonly StoredEntry[]): void {
    const stored = this.#stored.get(process.machine.disk)!
    while (stored.length > 0 && stored.at(-1)!.index >= entries[0]!.index) stored.pop()
    for (const entry of entries) if (isMembership(entry)) stored.push(versionOf(entry))
  }

  /**
   * Configurations that these machines may act on: the newest that has committed, and those after it in their logs. The
   * newest comes first. Empty: that of founding.
   */
  inPlay(machines: readonly Machine[], commit: number): readonly Membership[] {
    let newest: Version | undefined
    for (const stored of this.#stored.values()) {
      const version = stored.findLast(({ index }) => index <= commit)
      if (version !== undefined && version.index > (newest?.index ?? 0)) newest = version
    }
    const later = machines.flatMap(
      (machine) => this.#stored.get(machine.disk)?.filter(({ index }) => index > commit) ?? []
    )
    return [...(newest === undefined ? [] : [newest]), ...later].map(({ membership }) => membership)
  }

  ended(view: View): void {
    this.#history.delete(view)
  }

  /** A snapshot has taken the place of the view's log. */
  replaced(process: Process, view: View, snapshot: { readonly data: Uint8Array }): void {
    const [founding] = this.#history.get(view) ?? this.#begin(process, view)
    this.#history.set(view, [founding!, ...snapshotVersion(snapshot)])
  }

  /** Before the entries reach the view's log. */
  appended(process: Process, view: View, entries: readonly StoredEntry[]): void {
    const first = entries[0]!.index
    const known = this.#history.get(view)
    if (known === undefined && !entries.some(isMembership)) return
    const history = known ?? this.#begin(process, view)
    while (history.length > 1 && history.at(-1)!.index >= first) history.pop()
    for (const entry of entries) if (isMembership(entry)) this.#changed(process, view, history, entry)
  }

  /** A member acts on the newest configuration of its log, committed or not (dissertation, section 4.1). */
  stepped(process: Process, view: View, { membershipIndex }: ConsensusView): void {
    const newest = this.#history.get(view)?.at(-1)
    if (newest === undefined || newest.index === membershipIndex) return
    const detail = `it acts on configuration ${membershipIndex}, and its log has that of ${newest.index}`
    this.#memory.fail('acts-on-its-log', process, detail)
  }

  /** What this life recovered, from the founders on. */
  #begin(process: Process, view: View): Version[] {
    const history = [{ index: 0, membership: foundingOf(process) }, ...recoveredVersions(process.recovery)]
    this.#history.set(view, history)
    return history
  }

  #changed(process: Process, view: View, history: Version[], entry: StoredEntry): void {
    const membership = decodeMembership(entry.data)
    const before = history.at(-1)!
    this.#credentials.named(process, `${view.clusterId} ${entry.index} ${entry.term}`, membership)
    this.#memory.world.covered('configuration', kindOf(before.membership, membership))
    const leads = view.role === 'leader' && entry.term === view.term
    const commit = process.replica.consensus()?.commitIndex ?? 0
    if (leads && before.index > commit) {
      const detail = `it appends configuration ${entry.index} while that of ${before.index} has not committed`
      this.#memory.fail('one-change-at-a-time', process, detail)
    }
    if (!this.#quorumsMeet(before.membership, membership)) {
      const detail = `configuration ${entry.index} can decide without any voter of configuration ${before.index}`
      this.#memory.fail('quorums-intersect', process, detail)
    }
    history.push({ index: entry.index, membership })
  }

  /** Over all sets of voters: none is enough for one configuration while the rest is enough for the other. */
  #quorumsMeet(a: Membership, b: Membership): boolean {
    const key = `${groupsOf(a).join('|')} / ${groupsOf(b).join('|')}`
    if (this.#meet.has(key)) return true
    const everybody = [...new Set([...a.voters, ...a.outgoing, ...b.voters, ...b.outgoing])]
    for (let bits = 0; bits < 2 ** everybody.length; bits++) {
      const isIn = (id: string): boolean => (bits & (1 << everybody.indexOf(id))) !== 0
      if (isQuorum(a, isIn) && isQuorum(b, (id) => !isIn(id))) return false
    }
    this.#meet.add(key)
    return true
  }

  /** Invariant 20: a frame of this peer has moved the term. Nobody goes by the word of whom the committed configuration has removed. */
  movedBy(process: Process, view: View, from: string): void {
    const committed = this.#history.get(view)?.filter(({ index }) => index <= view.commit) ?? []
    const incarnation = process.sessions.get(from)?.other(process).machine.incarnation
    if (incarnation === undefined || committed.length === 0) return
    // The last word of a leader that has removed itself is the hand-over.
    if (this.#memory.clusterFor(view)?.leaders.get(view.term) === incarnation) return
    const isNamed = ({ membership }: Version): boolean => namedBy(membership).includes(incarnation)
    if (isNamed(committed.at(-1)!) || !committed.some(isNamed)) return
    const detail = `its term moves by ${this.#memory.world.nameOf(incarnation)}, which configuration ${committed.at(-1)!.index} has removed`
    this.#memory.fail('removed-is-not-heard', process, detail)
  }

  /** Invariant 10: whoever leads votes. */
  elected(process: Process, view: View, { membership, term }: ConsensusView): void {
    const { voters, outgoing } = membership
    if (voters.includes(view.incarnation) || outgoing.includes(view.incarnation)) return
    // A voter may win with the very configuration that drops it, until that has committed (dissertation, section 4.2.2).
    const history = this.#history.get(view) ?? this.#begin(process, view)
    if (history.some((one) => one.membership.voters.includes(view.incarnation))) return
    this.#memory.fail('leader-is-voter', process, `it leads term ${term} and was never a voter`)
  }
}

const isMembership = ({ type }: StoredEntry): boolean => entryTypeOf(type) === 'membership'

const versionOf = ({ index, data }: StoredEntry): Version => ({ index, membership: decodeMembership(data) })

/** The configuration that a snapshot stands for; none when it is still that of founding. */
function snapshotVersion({ data }: { readonly data: Uint8Array }): Version[] {
  let known = snapshotVersions.get(data)
  if (known === undefined) {
    const { membership, membershipIndex } = decodeSnapshot(data)
    known = { version: membershipIndex === 0 ? undefined : { index: membershipIndex, membership } }
    snapshotVersions.set(data, known)
  }
  return known.version === undefined ? [] : [known.version]
}

/** The same snapshot is handed to storage, written and read back, on every machine: what its bytes say of members is always the same. */
const snapshotVersions = new RecentMap<{ readonly version: Version | undefined }>(64)

function recoveredVersions({ snapshot, entries }: Recovered): Version[] {
  const known = snapshot === undefined ? [] : snapshotVersion(snapshot)
  const from = known[0]?.index ?? 0
  return [...known, ...entries.filter((entry) => isMembership(entry) && entry.index > from).map(versionOf)]
}

const groupsOf = ({ voters, outgoing }: Membership): readonly string[] => [voters.join(), outgoing.join()]

export function isQuorum({ voters, outgoing }: Membership, isIn: (id: string) => boolean): boolean {
  const enough = (group: readonly string[]): boolean => group.filter((id) => isIn(id)).length * 2 > group.length
  return enough(voters) && (outgoing.length === 0 || enough(outgoing))
}

function kindOf(before: Membership, after: Membership): (typeof MEMBERSHIP_STEPS)[number] {
  if (after.outgoing.length > 0) return 'joint begins'
  return before.outgoing.length > 0 ? 'joint ends' : 'learners change'
}

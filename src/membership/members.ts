/**
 * Who the members are, for people: one row for each incarnation, from the founding certificate (seats), the consensus core's
 * membership (who votes, who learns) and the open sessions (who is there).
 *
 * Before founding, whoever claims a seat shows as the voter that it is about to be. A peer with a session that consensus does not
 * know shows as an observer: whatever its credential allows, it only receives.
 */
import { compareText } from '../core/bytes.ts'

/** What the consensus core's membership says; its `Membership` is one. */
export interface ConsensusRoles {
  readonly voters: readonly string[]
  readonly outgoing: readonly string[]
  readonly learners: readonly string[]
  readonly learnersNext: readonly string[]
}

export interface MemberRow {
  /** `<peerId>#<storeId>`. */
  readonly incarnation: string
  readonly peerId: string
  /** Hex. */
  readonly storeId: string
  /** Undefined for whoever came after founding. */
  readonly seat: number | undefined
  readonly role: 'voter' | 'learner' | 'observer'
  readonly connected: boolean
  readonly self: boolean
  readonly leader: boolean
}

export interface MembersView {
  /** Incarnation. */
  readonly self: string
  /** Undefined until founded. */
  readonly membership: ConsensusRoles | undefined
  /** Of the founding certificate; until founded, the claims that are present. */
  readonly founders: readonly { readonly incarnation: string; readonly seat: number }[]
  /** Incarnations with an open session. */
  readonly connected: ReadonlySet<string>
  /** Incarnation. */
  readonly leader: string | undefined
}

/** Rows by role (voters first), then seat, then incarnation: the same on every member that knows the same. */
export function memberRows(view: MembersView): readonly MemberRow[] {
  const voters = new Set([...(view.membership?.voters ?? []), ...(view.membership?.outgoing ?? [])])
  const learners = new Set([...(view.membership?.learners ?? []), ...(view.membership?.learnersNext ?? [])])
  const seats = new Map(view.founders.map(({ incarnation, seat }) => [incarnation, seat]))
  // Once founded, only consensus says who votes, whoever holds a seat.
  if (view.membership === undefined) for (const { incarnation } of view.founders) voters.add(incarnation)
  const all = new Set([...voters, ...learners, ...view.connected, view.self])
  const rows = [...all].map((incarnation): MemberRow => {
    const [peerId = incarnation, storeId = ''] = incarnation.split('#')
    return {
      incarnation,
      peerId,
      storeId,
      seat: seats.get(incarnation),
      role: voters.has(incarnation) ? 'voter' : learners.has(incarnation) ? 'learner' : 'observer',
      connected: incarnation === view.self || view.connected.has(incarnation),
      self: incarnation === view.self,
      leader: incarnation === view.leader
    }
  })
  return rows.toSorted(compareRows)
}

const ROLE_ORDER = { voter: 0, learner: 1, observer: 2 } as const

function compareRows(a: MemberRow, b: MemberRow): number {
  return (
    ROLE_ORDER[a.role] - ROLE_ORDER[b.role] ||
    (a.seat ?? Infinity) - (b.seat ?? Infinity) ||
    compareText(a.incarnation, b.incarnation)
  )
}

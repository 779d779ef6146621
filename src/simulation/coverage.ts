/**
 * What a campaign must have seen happen ("sometimes" assertions, as Antithesis calls them). A simulator that never lets a code be
 * refused with or a transition be taken says nothing about it, however many seeds it runs.
 *
 * The lists come from the sources: a code that is added there is demanded here at once. What cannot happen in a simulation stands
 * in `CANNOT_HAPPEN`, with the reason; when it does happen after all, that is a failure as well.
 */
import { FORMATION_STAGES } from '../formation/types.ts'
import { REFUSAL_CODES as ADMISSION_CODES } from '../membership/refusal.ts'
import { REFUSAL_CODES as CONSENSUS_CODES, ROLES } from '../raft/types.ts'
import { MEMBER_REFUSAL_CODES } from '../replica/member-changes.ts'
import { STANDINGS } from '../replica/standing.ts'
import { ALARM_CODES, REQUEST_CODES } from '../replica/types.ts'
import { FAULT_KINDS, type FaultId } from './faults.ts'

/** How one configuration may follow another in a log. */
export const MEMBERSHIP_STEPS = ['learners change', 'joint begins', 'joint ends'] as const
const SNAPSHOTS = ['taken', 'restored'] as const
const ROLE_CHANGES = ROLES.flatMap((from) => ROLES.filter((to) => to !== from).map((to) => `${from} > ${to}`))

const LISTS = {
  /** Why admission let somebody not in. */
  admission: ADMISSION_CODES,
  /** Why a request was refused or put off, by whoever said so. */
  request: [...new Set<string>([...REQUEST_CODES, ...CONSENSUS_CODES, ...MEMBER_REFUSAL_CODES])],
  alarm: ALARM_CODES,
  role: ROLE_CHANGES,
  'formation stage': FORMATION_STAGES,
  standing: STANDINGS,
  configuration: MEMBERSHIP_STEPS,
  snapshot: SNAPSHOTS
} satisfies Record<string, readonly string[]>

export type CoverageKind = keyof typeof LISTS

/** By `kind: name`. */
export const CANNOT_HAPPEN: Readonly<Record<string, string>> = {
  'admission: genesis-unknown': 'every simulated machine starts with the genesis',
  'admission: not-in-roster': 'the simulated genesis gives seats by tokens, not by a roster',
  'admission: revoked': 'nothing revokes a token or key yet',
  'admission: self': 'a dial to ourselves ends before a hello is sent',
  'admission: timeout': 'the exchange of hellos takes no time here; test/transport has slow ones',
  'request: no-own-term-commit': 'the replica plans no member change before its term has committed something',
  'request: too-large': 'a node refuses its own callers earlier, by a smaller limit',
  'alarm: initial-config-differs': 'only a broken leader writes another first entry: it is an invariant here',
  'alarm: log-order': 'only a broken leader writes such a log',
  'alarm: snapshot-unusable': 'snapshots are read back from members that are not hostile',
  'alarm: rival-cluster': 'two clusters of one genesis are what formation excludes: it is an invariant here',
  'role: pre-candidate > leader': 'a pre-vote elects nobody',
  'role: leader > pre-candidate': 'whoever leaves office follows first',
  'role: leader > candidate': 'whoever leaves office follows first'
}

/** How often each was seen, by `kind: name`. */
export class Coverage {
  readonly counts: Record<string, number> = {}

  hit(kind: CoverageKind, name: string): void {
    const key = `${kind}: ${name}`
    this.counts[key] = (this.counts[key] ?? 0) + 1
  }
}

/** Everything that a campaign must see, by `kind: name`. */
export const demanded = (): readonly string[] =>
  Object.entries(LISTS)
    .flatMap(([kind, names]) => names.map((name) => `${kind}: ${name}`))
    .filter((key) => CANNOT_HAPPEN[key] === undefined)

export interface Gaps {
  /** Demanded, and never seen. */
  readonly missing: readonly string[]
  /** Seen, although a reason says that it cannot happen. */
  readonly impossible: readonly string[]
}

export function gapsIn(counts: Readonly<Record<string, number>>): Gaps {
  return {
    missing: demanded().filter((key) => counts[key] === undefined),
    impossible: Object.keys(CANNOT_HAPPEN).filter((key) => counts[key] !== undefined)
  }
}

/** Kinds of faults that never did anything: what the campaign says nothing about. */
export function notFired(faults: Readonly<Record<string, number>>, only?: readonly FaultId[]): readonly FaultId[] {
  const wanted = FAULT_KINDS.filter(({ id, beyond }) => (only === undefined ? beyond !== true : only.includes(id)))
  return wanted.map(({ id }) => id).filter((id) => faults[id] === undefined)
}

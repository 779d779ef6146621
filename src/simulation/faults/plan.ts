/**
 * Faults as data: what, when, where. A plan is drawn from the seed (swarm testing: each run switches on a random subset of
 * the kinds; Groce et al., "Swarm Testing", ISSTA 2012), each kind from a stream of its own, so that a fault can be taken
 * out of a plan without any other one moving.
 */
import { seededRandom } from '../../core/random.ts'
import { type Fault, FAULT_KINDS, type FaultId, KIND_OF, LEADER } from './kinds.ts'

export interface PlanInit {
  readonly seed: number
  readonly size: number
  readonly spanMs: number
  /** Kinds that may be drawn. Default: all that are within what is promised. */
  readonly only?: readonly FaultId[]
  /** Of each kind there is one, and for each of these spans at most one more. Default 8,000. */
  readonly everyMs?: number
}

/** Dense: what one fault leaves behind meets the next. */
const EVERY_MS = 8_000

/** The faults of a seed, by time. */
export function drawPlan({ seed, size, spanMs, only, everyMs = EVERY_MS }: PlanInit): readonly Fault[] {
  const root = seededRandom(seed).fork('faults')
  const share = root.fork('share').next() * 0.6
  // Formation is short: in a third of the runs faults are there from the first moment, and dense.
  const early = root.fork('early').next() < 0.33
  const fromMs = early ? 0 : Math.min(1_500, spanMs / 4)
  const placed = (place: number, soon: boolean): number => Math.round(fromMs + place * (soon ? 100 : spanMs - fromMs))
  const faults: Fault[] = []
  for (const kind of FAULT_KINDS) {
    const random = root.fork(kind.id)
    const wanted = only === undefined ? kind.beyond !== true && random.next() < share : only.includes(kind.id)
    if (!wanted) continue
    const count = 1 + random.int(0, Math.ceil(spanMs / everyMs))
    for (let i = 0; i < count; i++) {
      const own = random.fork(String(i))
      const place = own.next()
      const atMs = kind.early === true ? Math.round(place * 100) : placed(place, early && own.next() < 0.5)
      const drawn = kind.draw(own, size)
      faults.push({ id: kind.id, atMs, ...drawn, forMs: Math.round(drawn.forMs) })
    }
  }
  return faults.toSorted((a, b) => a.atMs - b.atMs)
}

/** One line for people. */
/** What a kind is, without its numbers: `N4: frames overtake each other`. */
export const faultWords = (id: FaultId): string => `${id}: ${KIND_OF.get(id)!.text}`

export function faultText(
  { id, nodes, variant, value, atMs, forMs }: Fault,
  nameOf: (index: number) => string
): string {
  const where =
    nodes.length === 0 ? '' : ` ${nodes.map((index) => (index === LEADER ? 'leader' : nameOf(index))).join(' ')}`
  const how = variant === '' ? '' : ` (${variant})`
  const amount = value === 0 ? '' : ` ${Number(value.toPrecision(3))}`
  const long = forMs === 0 ? '' : ` for ${forMs} ms`
  return `${id} ${KIND_OF.get(id)!.text}${how}${where}${amount} at ${atMs} ms${long}`
}

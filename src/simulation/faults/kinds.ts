/**
 * The kinds of faults: what each is, and how its numbers are drawn. The ids are those of docs/SIMULATION.md; `M` rows are mixes:
 * chains of faults that hang together and that chance alone would string up too rarely (a leader that is cut off while it writes,
 * and whose successor dies as it comes back).
 */
import type { Random } from '../../core/random.ts'

export const FAULT_IDS = [
  'N1', 'N2', 'N3', 'N4', 'N5', 'N6', 'N7', 'N8', 'N9', 'N10', 'N11', 'N12', 'N13', 'N14', 'N15',
  'P1', 'P2', 'P3', 'P4', 'P5', 'P6', 'P7', 'P8', 'P9',
  'D1', 'D2', 'D3', 'D4', 'D5', 'D6', 'D7', 'D8', 'D9',
  'B1', 'B3', 'B4', 'B6', 'B12', 'B13', 'O3', 'O9', 'O11', 'O12', 'O13',
  'M1', 'M2', 'M3', 'M4'
] as const // prettier-ignore

export type FaultId = (typeof FAULT_IDS)[number]

/** In the place of an index: whoever leads at that moment. Faults that hit a leader find more. */
export const LEADER = -1

export interface Fault {
  readonly id: FaultId
  readonly atMs: number
  /** How long it lasts; for a crash, until the restart. */
  readonly forMs: number
  /** Machines that it concerns, by index; LEADER for whoever leads when it happens. */
  readonly nodes: readonly number[]
  /** Rate, factor, delay in ms: what the kind says. */
  readonly value: number
  /** Which of the forms of the kind. */
  readonly variant: string
}

export interface Kind {
  readonly id: FaultId
  readonly text: string
  /** Trusting Raft's disk is wrong here: outside of what is promised, and only drawn when asked for. */
  readonly beyond?: boolean
  /** It happens to founding, so it is drawn for the first moments of a run. */
  readonly early?: boolean
  readonly draw: (random: Random, size: number) => Pick<Fault, 'nodes' | 'value' | 'variant' | 'forMs'>
}

const none = { nodes: [], value: 0, variant: '', forMs: 0 } as const
const pick = <T>(random: Random, items: readonly T[]): T => items[random.int(0, items.length - 1)]!
const ms = (random: Random, low: number, high: number): number => random.int(low, high)
const oneNode = (random: Random, size: number): readonly number[] =>
  random.next() < 0.4 ? [LEADER] : [random.int(0, size - 1)]

function someNodes(random: Random, size: number): readonly number[] {
  if (random.next() < 0.35) return [LEADER]
  const nodes = Array.from({ length: size }, (_, i) => i).filter(() => random.next() < 0.5)
  return nodes.length === 0 || nodes.length === size ? [random.int(0, size - 1)] : nodes
}

function twoNodes(random: Random, size: number): readonly number[] {
  const a = random.int(0, size - 1)
  return [a, (a + random.int(1, Math.max(1, size - 1))) % size]
}

const span = (random: Random): number => pick(random, [300, 1_000, 3_000, 8_000]) * (0.5 + random.next())

export const FAULT_KINDS: readonly Kind[] = [
  { id: 'N1', text: 'frames are lost', draw: (r) => ({ ...none, value: r.next() * 0.3, forMs: span(r) * 2 }) },
  {
    id: 'N2',
    text: 'frames are delayed',
    draw: (r) => ({
      ...none,
      variant: pick(r, ['exponential', 'spikes']),
      value: pick(r, [5, 40, 200, 2_000]),
      forMs: span(r)
    })
  },
  { id: 'N3', text: 'frames arrive twice', draw: (r) => ({ ...none, value: r.next() * 0.5, forMs: span(r) * 2 }) },
  {
    id: 'N4',
    text: 'frames overtake each other',
    draw: (r) => ({ ...none, value: pick(r, [2, 20, 150]), forMs: span(r) * 2 })
  },
  {
    id: 'N5',
    text: 'partition',
    draw: (r, n) => ({ ...none, nodes: someNodes(r, n), variant: pick(r, ['silent', 'reset']), forMs: span(r) })
  },
  {
    id: 'N6',
    text: 'one-way partition',
    draw: (r, n) => ({ ...none, nodes: someNodes(r, n), variant: pick(r, ['deaf', 'mute']), forMs: span(r) })
  },
  {
    id: 'N7',
    text: 'partial partition',
    draw: (r, n) => ({ ...none, nodes: oneNode(r, n), variant: pick(r, ['bridge', 'ring']), forMs: span(r) })
  },
  {
    id: 'N8',
    text: 'flapping link',
    draw: (r, n) => ({ ...none, nodes: twoNodes(r, n), value: ms(r, 100, 600), forMs: span(r) })
  },
  {
    id: 'N9',
    text: 'slow link',
    draw: (r, n) => ({ ...none, nodes: twoNodes(r, n), value: ms(r, 20, 800), forMs: span(r) * 2 })
  },
  {
    id: 'N10',
    text: 'connection that one side or the path has forgotten',
    draw: (r, n) => ({ ...none, nodes: twoNodes(r, n), variant: pick(r, ['half-open', 'nat-drop']) })
  },
  {
    id: 'N11',
    text: 'wall clock jumps',
    draw: (r, n) => ({ ...none, nodes: oneNode(r, n), value: (r.next() - 0.5) * 20 })
  },
  {
    id: 'N12',
    text: 'clock drifts',
    draw: (r, n) => ({ ...none, nodes: oneNode(r, n), value: 0.9 + r.next() * 0.2, forMs: span(r) * 3 })
  },
  {
    id: 'N13',
    text: 'discovery lies',
    draw: (r, n) => ({
      ...none,
      nodes: twoNodes(r, n),
      variant: pick(r, ['nowhere', 'somebody else', 'itself', 'flood', 'gone'])
    })
  },
  { id: 'N14', text: 'seed lists name few', draw: (r) => ({ ...none, value: r.int(1, 2) }) },
  {
    id: 'N15',
    text: 'addresses change',
    draw: (r, n) => ({ ...none, nodes: twoNodes(r, n), variant: pick(r, ['moves', 'swap']) })
  },
  {
    id: 'P1',
    text: 'process killed',
    draw: (r, n) => ({
      ...none,
      nodes: oneNode(r, n),
      variant: pick(r, ['now', 'before-sync', 'after-sync', 'after-send']),
      forMs: ms(r, 20, 4_000)
    })
  },
  { id: 'P2', text: 'process paused', draw: (r, n) => ({ ...none, nodes: oneNode(r, n), forMs: span(r) }) },
  {
    id: 'P3',
    text: 'restart storm',
    draw: (r) => ({ ...none, variant: pick(r, ['kill', 'power', 'rolling']), forMs: ms(r, 50, 2_000) })
  },
  { id: 'P4', text: 'disk lost', draw: (r, n) => ({ ...none, nodes: oneNode(r, n), forMs: ms(r, 50, 3_000) }) },
  {
    id: 'P5',
    text: 'disk set back',
    beyond: true,
    draw: (r, n) => ({ ...none, nodes: oneNode(r, n), forMs: ms(r, 500, 4_000) })
  },
  {
    id: 'P6',
    text: 'machine cloned',
    beyond: true,
    draw: (r, n) => ({ ...none, nodes: oneNode(r, n), forMs: span(r) })
  },
  {
    id: 'P7',
    text: 'key lost, disk kept',
    draw: (r, n) => ({ ...none, nodes: oneNode(r, n), forMs: ms(r, 50, 1_000) })
  },
  {
    id: 'P8',
    text: 'event loop blocked again and again',
    draw: (r, n) => ({ ...none, nodes: oneNode(r, n), value: ms(r, 120, 900), forMs: span(r) })
  },
  {
    id: 'P9',
    text: 'frames of another version',
    draw: (r, n) => ({ ...none, nodes: twoNodes(r, n), value: r.int(1, 20) })
  },
  {
    id: 'D1',
    text: 'power cut, torn write',
    draw: (r, n) => ({
      ...none,
      nodes: oneNode(r, n),
      variant: pick(r, ['now', 'at a write']),
      forMs: ms(r, 200, 5_000)
    })
  },
  { id: 'D2', text: 'sync fails', draw: (r, n) => ({ ...none, nodes: oneNode(r, n), forMs: ms(r, 50, 2_000) }) },
  {
    id: 'D3',
    text: 'power cut of several, unsynced writes arrive',
    draw: (r, n) => ({
      ...none,
      nodes: someNodes(r, n),
      variant: pick(r, ['now', 'at a write']),
      forMs: ms(r, 200, 3_000)
    })
  },
  {
    id: 'D4',
    text: 'bit rot',
    draw: (r, n) => ({ ...none, nodes: oneNode(r, n), value: r.next(), forMs: ms(r, 50, 1_000) })
  },
  {
    id: 'D5',
    text: "another machine's disk",
    draw: (r, n) => ({ ...none, nodes: twoNodes(r, n), forMs: ms(r, 50, 1_000) })
  },
  { id: 'D6', text: 'disk full', draw: (r, n) => ({ ...none, nodes: oneNode(r, n), forMs: ms(r, 100, 3_000) }) },
  {
    id: 'D7',
    text: 'slow disk',
    draw: (r, n) => ({ ...none, nodes: oneNode(r, n), value: ms(r, 20, 1_000), forMs: span(r) * 2 })
  },
  {
    id: 'D8',
    text: 'power cut, young files lost',
    draw: (r, n) => ({ ...none, nodes: oneNode(r, n), forMs: ms(r, 50, 3_000) })
  },
  { id: 'D9', text: 'logs are cut early', draw: (r) => ({ ...none, value: r.int(2, 12) }) },
  {
    id: 'B1',
    text: 'frames that no member would send',
    draw: (r, n) => ({ ...none, nodes: twoNodes(r, n), value: r.int(1, 20) })
  },
  {
    id: 'B3',
    text: 'frames with more items than any member sends',
    draw: (r, n) => ({ ...none, nodes: twoNodes(r, n), value: r.int(1, 6) })
  },
  {
    id: 'B4',
    text: 'two machines come with copies of a join token for one',
    draw: (r) => ({
      ...none,
      variant: pick(r, ['observer', 'voter']),
      value: pick(r, [0, 2, 50, 800]),
      forMs: ms(r, 20, 5_000)
    })
  },
  { id: 'B6', text: 'strangers knock', draw: (r, n) => ({ ...none, nodes: oneNode(r, n), value: r.int(1, 12) }) },
  {
    id: 'B12',
    text: 'a member says what cannot be',
    draw: (r, n) => ({ ...none, nodes: twoNodes(r, n), value: r.int(1, 12) })
  },
  {
    id: 'B13',
    text: 'somebody without a vote votes and acknowledges',
    draw: (r, n) => ({ ...none, nodes: oneNode(r, n), value: r.int(20, 200) })
  },
  {
    id: 'O3',
    text: 'a further machine holds the token of founder 1',
    early: true,
    draw: (r) => ({ ...none, forMs: ms(r, 5, 6_000) })
  },
  {
    id: 'O9',
    text: 'an emptied machine starts with its founding token',
    draw: (r, n) => {
      const variant = pick(r, ['one', 'one', 'one', 'most'])
      return { ...none, nodes: variant === 'one' ? oneNode(r, n) : someNodes(r, n), variant, forMs: ms(r, 50, 3_000) }
    }
  },
  {
    id: 'O11',
    text: 'operators change the members',
    draw: (r, n) => ({
      ...none,
      nodes: [...oneNode(r, n), r.int(0, n - 1)],
      variant: pick(r, ['demote', 'demote', 'remove', 'leave', 'replace', 'promote', 'many', 'mistakes']),
      forMs: ms(r, 300, 5_000)
    })
  },
  {
    id: 'O12',
    text: 'the wall clock was never set',
    early: true,
    draw: (r, n) => ({ ...none, nodes: someNodes(r, n), forMs: ms(r, 50, 8_000) })
  },
  {
    id: 'O13',
    text: 'leadership is handed over',
    draw: (r, n) => ({ ...none, nodes: oneNode(r, n), variant: pick(r, ['to anybody', 'to one', 'to all']) })
  },
  {
    id: 'M1',
    text: 'a leader is cut off while it writes and is read from, and comes back',
    draw: (r) => ({
      ...none,
      nodes: [LEADER],
      variant: pick(r, ['returns', 'heir dies', 'heir dies', 'slow disk', 'torn']),
      value: r.int(3, 40),
      forMs: ms(r, 350, 2_500)
    })
  },
  {
    id: 'M2',
    text: 'leaders fall one after the other, each heard by one',
    draw: (r) => ({ ...none, nodes: [LEADER], value: r.int(3, 8), forMs: ms(r, 300, 1_500) })
  },
  {
    id: 'M3',
    text: 'a leader falls while disks and links are slow',
    draw: (r) => ({ ...none, nodes: [LEADER], value: ms(r, 300, 1_500), forMs: ms(r, 1_000, 6_000) })
  },
  {
    id: 'M4',
    text: 'whoever leads founding falls silent at its last step, and fails',
    early: true,
    draw: (r) => ({
      ...none,
      variant: pick(r, ['killed', 'power', 'disk lost', 'disk and certificate lost', 'only silent']),
      value: pick(r, [0, 0, 1, 3]),
      forMs: ms(r, 5, 400)
    })
  }
]

export const KIND_OF: ReadonlyMap<FaultId, Kind> = new Map(FAULT_KINDS.map((kind) => [kind.id, kind]))

/**
 * From nothing to a cluster: `node bench/formation.ts [--rounds 16] [--sizes 3,5,9] [--only seeds,mdns,together,late]`.
 *
 * The genesis and the tokens exist, the node keys do not; mDNS uses the loopback interface only. Two kinds of start, in turns:
 *
 * - *together*: all processes at once, on empty data directories. Two clocks are reported: from the start of the first process to
 *   `ready` on the last, and from the moment at which the N-th founder is authenticated somewhere, which is the first at which
 *   anybody could begin. Between them lie Node's own start, the import of libp2p and of us, and looking for each other; with more
 *   nodes than cores, most of it is waiting for a core. Of more than five nodes there are half as many rounds.
 * - *late*: the last founder is started when the others have waited for it for two seconds, as where machines boot at different
 *   speed or are switched on by hand. The first clock begins with its process. Up to five nodes; of five, half as many rounds.
 *
 * A third clock begins when everybody has met everybody: each side of each pair has authenticated the other. From then on there is
 * nothing but the founding itself; what comes between the second and the third is handshakes that were still under way. The first
 * leader needs to have met all, the others need not have met each other: when two of them do so after all are ready, it shows 0.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { StageName } from '../src/node/types.ts'
import { lookAway, stepBehind } from './kit/observer.ts'
import { type Options, options, Report } from './kit/report.ts'
import { QUANTILES, quantileCells } from './kit/stats.ts'
import { type Life, Yard } from './kit/yard.ts'

const DISCOVERIES = ['seeds', 'mdns'] as const
const STARTS = ['together', 'late'] as const
type Discovery = (typeof DISCOVERIES)[number]
type Start = (typeof STARTS)[number]

const LATE_MS = 2_000
const LATE_SIZE_MAX = 5

/** For a node, of those that start together: longer than nearly all need. The benchmark sleeps, and reads afterwards what they wrote. */
const AWAY_MS = 130
const LATE_AWAY_MS = 250

interface Formation {
  /** From the start of the first process, or of the late one, ms. */
  readonly marks: Readonly<Record<Mark, number>>
  readonly sinceAuthenticatedMs: number
  /** 0 when some had not met when all were ready. */
  readonly sinceMetMs: number
  /** Terms of the founding election. */
  readonly terms: number
}

/** In the order in which they come; each but `authentication` is that of the last node. */
const MARKS = {
  begun: 'our code runs',
  identity: 'all have key, log and lock',
  listening: 'all listen (libp2p is up)',
  authentication: 'the first has all founders',
  formation: 'all hold the certificate',
  election: 'all know the leader',
  ready: 'ready on all'
} as const
type Mark = keyof typeof MARKS

/** What is reported of each kind of start, and from when it counts. */
const KINDS = {
  together: {
    marks: Object.keys(MARKS) as Mark[],
    from: 'process start',
    fromAuthenticated: 'all founders',
    fromMet: 'all have met all',
    label: (what: string): string => what
  },
  late: {
    marks: ['listening', 'authentication', 'ready'] as Mark[],
    from: 'start of the last',
    fromAuthenticated: 'all founders, the last one late',
    fromMet: 'all have met all, the last one late',
    label: (what: string): string => `the last one late: ${what}`
  }
} as const

async function form(size: number, discovery: Discovery, start: Start): Promise<Formation> {
  const yard = new Yard({ size, discovery })
  try {
    await yard.prepare()
    await (start === 'late' ? startLate(yard, size) : yard.startAll(() => lookAway(size * AWAY_MS)))
    const { lives } = yard
    const startedAt = start === 'late' ? lives[size - 1]!.startedAt : Math.min(...lives.map((life) => life.startedAt))
    const last = (at: (life: Life) => number): number => Math.max(...lives.map(at)) - startedAt
    // Whoever is told of the cluster before it has met everybody never reports this; somebody always does.
    const authenticatedAt = Math.min(...lives.map((life) => stage(life, 'authentication')?.at ?? Infinity))
    const marks = {
      begun: last((life) => life.events[0]!.at),
      identity: last((life) => doneAt(life, 'identity')),
      listening: last((life) => life.events.find(({ event }) => event === 'listening')!.at),
      authentication: authenticatedAt - startedAt,
      formation: last((life) => doneAt(life, 'formation')),
      election: last((life) => doneAt(life, 'election')),
      ready: last((life) => doneAt(life, 'ready'))
    }
    const clusters = new Set(lives.map(({ events }) => events.at(-1)!.cluster))
    if (clusters.size !== 1) throw new Error(`${clusters.size} clusters were formed`)
    const sinceAuthenticatedMs = marks.ready - marks.authentication
    const sinceMetMs = Math.max(0, marks.ready - last((life) => metAt(life, size)))
    return { marks, sinceAuthenticatedMs, sinceMetMs, terms: foundingTerm(lives) }
  } finally {
    await yard.close()
  }
}

/** The others have met each other, and waited. */
async function startLate(yard: Yard, size: number): Promise<void> {
  const early = Array.from({ length: size - 1 }, (_, seat) => yard.start(seat))
  for (const life of early) {
    await life.until('listening')
    if (early.length > 1) await life.until('peer', ({ status }) => status === 'authenticated')
  }
  await sleep(LATE_MS)
  yard.start(size - 1)
  lookAway(LATE_AWAY_MS)
  await Promise.all(yard.lives.map((life) => life.until('ready')))
}

type StageEvent = Extract<Life['events'][number], { readonly event: 'stage' }>

const stage = (life: Life, name: StageName): StageEvent | undefined =>
  life.events.find(
    (event): event is StageEvent => event.event === 'stage' && event.stage === name && event.status === 'done'
  )

function done(life: Life, name: StageName): StageEvent {
  const event = stage(life, name)
  if (event === undefined) throw new Error(`${life.name} is ready and was never ${name}`)
  return event
}

const doneAt = (life: Life, name: StageName): number => done(life, name).at

/** When this founder had authenticated each of the others. */
function metAt({ events }: Life, size: number): number {
  const met = new Set<string>()
  for (const event of events) {
    if (event.event !== 'peer' || event.status !== 'authenticated') continue
    if (met.add(event.peer).size === size - 1) return event.at
  }
  return Infinity
}

function foundingTerm(lives: readonly Life[]): number {
  return Math.max(...lives.map((life) => Number(done(life, 'formation').detail?.['term'] ?? 0)))
}

const roundsOf = ({ rounds }: Options, size: number, start: Start): number =>
  size > (start === 'late' ? 3 : 5) ? Math.ceil(rounds / 2) : rounds

async function run(
  report: Report,
  chosen: Options,
  size: number,
  discovery: Discovery,
  start: Start
): Promise<string[][]> {
  const { marks, from, fromAuthenticated, fromMet, label } = KINDS[start]
  const formations: Formation[] = []
  for (let i = 0; i < roundsOf(chosen, size, start); i++) formations.push(await form(size, discovery, start))
  const rows: string[][] = []
  for (const mark of marks) {
    const values = formations.map((formation) => formation.marks[mark])
    report.series({ discovery, size, until: mark, from, unit: 'ms' }, values)
    rows.push([label(MARKS[mark]), discovery, String(size), ...quantileCells(values)])
  }
  const since = formations.map(({ sinceAuthenticatedMs }) => sinceAuthenticatedMs)
  const terms = Math.max(...formations.map((formation) => formation.terms))
  report.series({ discovery, size, until: 'ready', from: fromAuthenticated, unit: 'ms', termsMax: terms }, since)
  rows.push([label('ready on all, from "all founders"'), discovery, String(size), ...quantileCells(since)])
  const sinceMet = formations.map(({ sinceMetMs }) => sinceMetMs)
  report.series({ discovery, size, until: 'ready', from: fromMet, unit: 'ms' }, sinceMet)
  rows.push([label('ready on all, from "all have met all"'), discovery, String(size), ...quantileCells(sinceMet)])
  return rows
}

/** Those of `names` that `--only` names; all when it names none of them. */
function named<T extends string>(names: readonly T[], { only }: Options): readonly T[] {
  const found = names.filter((name) => only.includes(name))
  return found.length === 0 ? names : found
}

stepBehind()
const chosen = options({ rounds: 16, sizes: [3, 5, 9] })
const report = new Report('formation', chosen)
const rows: string[][] = []
for (const size of chosen.sizes) {
  for (const discovery of named(DISCOVERIES, chosen)) {
    for (const start of named(STARTS, chosen)) {
      if (start === 'late' && (size > LATE_SIZE_MAX || size < 2)) continue
      const more = await run(report, chosen, size, discovery, start)
      report.progress(`${size} nodes, ${discovery}, ${start}`)
      rows.push(...more)
    }
  }
}
report.table(
  'Milliseconds from the start of the first process, or of the late one',
  ['until', 'found by', 'nodes', ...QUANTILES],
  rows,
  'all'
)
report.end()

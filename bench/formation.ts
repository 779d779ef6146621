/**
 * From nothing to a cluster: `node bench/formation.ts [--rounds 16] [--sizes 3,5,9] [--only seeds,mdns]`.
 *
 * All processes of a cluster are started together on empty data directories: the genesis and the tokens exist, the node keys
 * do not. mDNS uses the loopback interface only. Two clocks are reported: from the start of the
 * first process to `ready` on the last, and from the moment at which the N-th founder is authenticated somewhere, which is
 * the first at which anybody could begin. Between them lie Node's own start, the import of libp2p and of us, and looking for
 * each other; with more nodes than cores, most of it is waiting for a core. Of more than five nodes there are half as many rounds.
 */
import type { StageName } from '../src/node/types.ts'
import { chosenOf, type Options, options, Report } from './kit/report.ts'
import { QUANTILES, quantileCells } from './kit/stats.ts'
import { type Life, Yard } from './kit/yard.ts'

type Discovery = 'seeds' | 'mdns'

interface Formation {
  /** From the start of the first process, ms. */
  readonly marks: Readonly<Record<Mark, number>>
  readonly sinceAuthenticatedMs: number
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

async function form(size: number, discovery: Discovery): Promise<Formation> {
  const yard = new Yard({ size, discovery })
  try {
    await yard.prepare()
    await yard.startAll()
    const { lives } = yard
    const startedAt = Math.min(...lives.map((life) => life.startedAt))
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
    return { marks, sinceAuthenticatedMs: marks.ready - marks.authentication, terms: foundingTerm(lives) }
  } finally {
    await yard.close()
  }
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

function foundingTerm(lives: readonly Life[]): number {
  return Math.max(...lives.map((life) => Number(done(life, 'formation').detail?.['term'] ?? 0)))
}

async function run(report: Report, chosen: Options, size: number, discovery: Discovery): Promise<string[][]> {
  const formations: Formation[] = []
  const rounds = size <= 5 ? chosen.rounds : Math.ceil(chosen.rounds / 2)
  for (let i = 0; i < rounds; i++) formations.push(await form(size, discovery))
  const rows: string[][] = []
  for (const mark of Object.keys(MARKS) as Mark[]) {
    const values = formations.map(({ marks }) => marks[mark])
    report.series({ discovery, size, until: mark, from: 'process start', unit: 'ms' }, values)
    rows.push([MARKS[mark], discovery, String(size), ...quantileCells(values)])
  }
  const since = formations.map(({ sinceAuthenticatedMs }) => sinceAuthenticatedMs)
  const terms = Math.max(...formations.map((formation) => formation.terms))
  report.series({ discovery, size, until: 'ready', from: 'all founders', unit: 'ms', termsMax: terms }, since)
  rows.push(['ready on all, from "all founders"', discovery, String(size), ...quantileCells(since)])
  return rows
}

const chosen = options({ rounds: 16, sizes: [3, 5, 9] })
const kinds = chosenOf(['seeds', 'mdns'] as const, chosen)
const report = new Report('formation', chosen)
const rows: string[][] = []
for (const size of chosen.sizes) {
  for (const discovery of kinds) {
    const more = await run(report, chosen, size, discovery)
    report.progress(`${size} nodes, ${discovery}`)
    rows.push(...more)
  }
}
report.table(
  'Milliseconds from the start of the first process',
  ['until', 'found by', 'nodes', ...QUANTILES],
  rows,
  'all'
)
report.end()

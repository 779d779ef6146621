/**
 * `quorate up` on a terminal: stages, peers, and what is missing, as one block that is redrawn in place.
 * Pure: `upState` folds events, `upLines` shows a state. Nothing here keeps time but the events' own.
 */
import type { NodeEvent, StageName, StampedNodeEvent } from '../../node/types.ts'
import { stageOrder } from '../../observability/stages.ts'
import { durationText } from '../duration.ts'
import { selfOr } from './event-line.ts'
import type { Style } from './style.ts'
import { plural, printable, readable, shortHash, shortPeer, table, wrap } from './text.ts'

/** Peers that are shown; on large clusters the first to come. */
const PEERS_SHOWN_MAX = 12

type StageState = Omit<Extract<NodeEvent, { event: 'stage' }>, 'event'>
type PeerState = Omit<Extract<NodeEvent, { event: 'peer' }>, 'event'>

export interface UpState {
  readonly name: string
  readonly node: string
  readonly cluster: string | null
  readonly addresses: readonly string[]
  readonly stages: Readonly<Partial<Record<StageName, StageState>>>
  /** In order of first sight. */
  readonly peers: readonly PeerState[]
  readonly leader: { readonly term: number; readonly peer: string | null } | undefined
  readonly config: { readonly version: number; readonly hash: string } | undefined
  readonly waitingFor: readonly string[]
  readonly ended: string | undefined
}

export const upStart = (name: string): UpState => ({
  name,
  node: '',
  cluster: null,
  addresses: [],
  stages: {},
  peers: [],
  leader: undefined,
  config: undefined,
  waitingFor: [],
  ended: undefined
})

export function upState(before: UpState, event: StampedNodeEvent): UpState {
  const state = { ...before, node: event.node, cluster: event.cluster }
  switch (event.event) {
    case 'listening':
      return { ...state, addresses: event.addresses }
    case 'stage':
      return { ...state, stages: { ...state.stages, [event.stage]: event } }
    case 'peer':
      return { ...state, peers: withPeer(state.peers, event) }
    case 'leader':
      return {
        ...state,
        leader: { term: event.term, peer: event.leader },
        waitingFor: waitingWith(event.leader, state)
      }
    case 'ready':
      return {
        ...state,
        leader: { term: event.term, peer: event.leader },
        config: { version: event.configVersion, hash: event.configHash },
        waitingFor: []
      }
    case 'config':
      return { ...state, config: { version: event.version, hash: event.hash } }
    case 'waiting':
      return { ...state, waitingFor: event.waitingFor }
    case 'stopped':
      return { ...state, ended: event.error?.name ?? event.reason }
    case 'writable':
    case 'member':
    case 'alarm':
      return state
  }
}

/** No event says that nothing is missing any more: a leader was the last thing, unless the config was. */
const waitingWith = (leader: string | null, { config, waitingFor }: UpState): readonly string[] =>
  leader === null || config === undefined ? waitingFor : []

/** A later event keeps what an earlier one knew (seat, source). */
function withPeer(peers: readonly PeerState[], event: PeerState): readonly PeerState[] {
  const known = peers.some(({ peer }) => peer === event.peer)
  return known ? peers.map((peer) => (peer.peer === event.peer ? renewed(peer, event) : peer)) : [...peers, event]
}

/** What was said of an earlier connection (a refusal, why it closed) is not true of the next one. */
const renewed = ({ seat, source }: PeerState, event: PeerState): PeerState => ({
  ...(seat === undefined ? {} : { seat }),
  ...(source === undefined ? {} : { source }),
  ...event
})

/**
 * At most `rows` lines, as far as that is possible: in a short terminal peers go first, then addresses, then stages that
 * are over. What is missing and how it ended always stay.
 */
export function upLines(state: UpState, style: Style, rows = Number.POSITIVE_INFINITY): readonly string[] {
  const ended = endedLines(state)
  const end = [...waitingLines(state, style).slice(0, Math.max(0, rows - ended.length)), ...ended]
  const stages = table(
    stageOrder.map((stage) => stageRow(state, stage, style)),
    '  '
  )
  const addresses = state.addresses.map((address) => style.dim(`  listening on ${withoutPeerId(address)}`))
  // The name is in the genesis, which a short token does not bring.
  const head = [style.bold(printable(state.name)), state.node].filter((text) => text !== '').join(' · ')
  let left = rows - end.length
  const take = (lines: readonly string[]): readonly string[] => {
    left -= lines.length
    return lines
  }
  const shownHead = take(left > 1 ? [head] : [])
  const shownStages = take(aroundCurrent(stages, state, Math.max(0, left)))
  const shownAddresses = take(addresses.slice(0, Math.max(0, left)))
  return [...shownHead, ...shownAddresses, ...shownStages, ...peerLines(state, style, left), ...end]
}

/** Of too many stages those that end with the one that is under way. */
function aroundCurrent(lines: readonly string[], { stages }: UpState, count: number): readonly string[] {
  const current = stageOrder.findIndex((stage) => stages[stage]?.status !== 'done')
  const last = Math.max(count, current === -1 ? lines.length : current + 1)
  return lines.slice(Math.max(0, last - count), last)
}

function waitingLines({ waitingFor }: UpState, style: Style): readonly string[] {
  if (waitingFor.length === 0) return []
  const lines = waitingFor.flatMap((text) => wrap(`waiting for ${readable(text)}`, style.columns - 3, '  '))
  return ['', ...lines.map((line) => style.yellow(line))]
}

const endedLines = ({ ended }: UpState): readonly string[] =>
  ended === undefined ? [] : ['', `  stopped: ${printable(ended)}`]

function stageRow(state: UpState, stage: StageName, style: Style): readonly string[] {
  const { symbols } = style
  const at = state.stages[stage]
  if (at === undefined) return [style.dim(symbols.idle), style.dim(stage), '', factOf(state, stage)]
  switch (at.status) {
    case 'start':
      return [style.cyan(symbols.busy), stage, '', factOf(state, stage)]
    case 'done':
      return [style.green(symbols.done), stage, durationText(at.ms), factOf(state, stage)]
    case 'failed':
      return [style.red(symbols.failed), stage, durationText(at.ms), style.red(readable(at.error?.message ?? 'failed'))]
  }
}

/** What the stage has brought, as it stands now. */
function factOf(state: UpState, stage: StageName): string {
  switch (stage) {
    case 'preflight':
    case 'identity':
    case 'ready':
      return ''
    case 'discovery':
      return sourcesOf(state.peers)
    case 'authentication':
      return seatsOf(state)
    case 'formation':
      return state.cluster === null ? '' : `cluster ${shortHash(state.cluster)}`
    case 'election':
      return leaderOf(state)
    case 'config':
      return state.config === undefined ? '' : `config ${state.config.version}  ${shortHash(state.config.hash)}`
  }
}

const withoutPeerId = (address: string): string => address.replace(/\/p2p\/[^/]+$/, '')

/** A refusal's source says who refused. */
const HINT_SOURCES: ReadonlySet<string | undefined> = new Set(['mdns', 'seed', 'cache', 'exchange'])

function sourcesOf(peers: readonly PeerState[]): string {
  const counts = new Map<string, number>()
  for (const { source, status } of peers) {
    const isHere = status === 'discovered' || status === 'authenticated'
    if (isHere && source !== undefined && HINT_SOURCES.has(source)) counts.set(source, (counts.get(source) ?? 0) + 1)
  }
  return [...counts].map(([source, count]) => `${count} by ${source}`).join(', ')
}

function seatsOf(state: UpState): string {
  const present = state.peers.filter(({ status }) => status === 'authenticated')
  return present.length === 0
    ? ''
    : present.map(({ peer, seat }) => (seat === undefined ? shortPeer(peer) : `seat ${seat}`)).join(', ')
}

function leaderOf({ leader, node, peers }: UpState): string {
  if (leader === undefined) return ''
  if (leader.peer === null) return `no leader, term ${leader.term}`
  const seat = peers.find(({ peer }) => peer === leader.peer)?.seat
  return `leader ${selfOr(leader.peer, node)}${seat === undefined ? '' : ` (seat ${seat})`}, term ${leader.term}`
}

/** With the blank line above them, in at most `lines` lines. */
function peerLines(state: UpState, style: Style, lines: number): readonly string[] {
  const { peers } = state
  const room = Math.min(PEERS_SHOWN_MAX, lines - 1)
  if (peers.length === 0 || room < 1) return []
  const fitting = lines - 1 < peers.length ? Math.min(room, lines - 2) : room
  const rows = peers
    .slice(0, fitting)
    .map((peer) => [
      peerSymbol(peer, style),
      shortPeer(peer.peer),
      peer.seat === undefined ? '' : `seat ${peer.seat}`,
      state.leader?.peer === peer.peer ? `${peer.status}, leader` : peer.status,
      style.dim(
        printable([peer.code, peer.detail].filter((text) => text !== undefined).join(': ') || (peer.source ?? ''))
      )
    ])
  const more = peers.length - rows.length
  const rest = rows.length === 0 ? plural(more, 'peer') : `and ${more} more`
  return ['', ...table(rows, '  '), ...(more > 0 ? [style.dim(`  ${rest}`)] : [])]
}

function peerSymbol({ status }: PeerState, { symbols, ...style }: Style): string {
  switch (status) {
    case 'discovered':
      return style.cyan(symbols.busy)
    case 'authenticated':
      return style.green(symbols.done)
    case 'disconnected':
      return style.yellow(symbols.idle)
    case 'refused':
      return style.red(symbols.failed)
  }
}

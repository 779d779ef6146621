/** `quorate status` and `quorate members` for people. Pure: facts -> lines. */
import { PRIORITY_DEFAULT } from '../../core/priority.ts'
import type { MemberInfo, NodeStatus } from '../../node/types.ts'
import { durationText } from '../duration.ts'
import type { Style } from './style.ts'
import { plural, printable, readable, shortHash, shortPeer, table, wrap } from './text.ts'

/** At most `rows` lines, as far as that is possible: what is missing and what to do stay, members and facts go first. */
export function statusLines(status: NodeStatus, style: Style, rows = Number.POSITIVE_INFINITY): readonly string[] {
  const facts: (readonly [string, string])[] = [
    ['node', `${status.node}${seatText(status.members.find((member) => member.self)?.seat)}`],
    ['cluster', status.cluster ?? 'not founded yet'],
    ['leader', leaderText(status, style)],
    ['config', configText(status)],
    ['safety', safetyText(status)],
    ['listening', status.addresses.join('  ') || 'on no address'],
    ['running', durationText(status.uptimeMs)]
  ]
  const factLines = table(
    facts.map(([name, value]) => [style.dim(name), value]),
    '  '
  )
  const end = [
    ...section('waiting for', sentences(status.waitingFor, style), style),
    ...section('to do', sentences(status.advice, style), style)
  ]
  const shownFacts = factLines.slice(0, Math.max(0, rows - end.length - 1))
  const memberRows = rows - end.length - shownFacts.length - 1 - SECTION_HEAD_LINES
  const members = firstOf(memberLines(status.members, style), memberRows, style)
  return [headline(status, style), ...shownFacts, ...section('members', members, style), ...end]
}

/** A blank line and the title. */
const SECTION_HEAD_LINES = 2

/** As many as have room, the last of them saying how many more there are. */
function firstOf(lines: readonly string[], rows: number, style: Style): readonly string[] {
  if (lines.length <= rows) return lines
  if (rows < 1) return []
  return [...lines.slice(0, rows - 1), style.dim(`and ${lines.length - rows + 1} more`)]
}

const sentences = (texts: readonly string[], style: Style): readonly string[] =>
  texts.flatMap((text) => wrap(readable(text), style.columns - 5)).map(style.yellow)

function headline(status: NodeStatus, style: Style): string {
  const parts = [style.bold(printable(status.name)), stageText(status, style)]
  if (status.role !== null) parts.push(status.role)
  return parts.join(' · ')
}

function stageText(status: NodeStatus, style: Style): string {
  if (isOutside(status)) return style.red('not a member')
  if (ownBar(status) !== undefined) return style.red('barred')
  if (quorumLost(status)) return style.red('no quorum')
  return status.stage === 'ready' ? style.green('ready') : style.yellow(`at stage ${status.stage}`)
}

/** It knows of a cluster and does not belong to it (any more): whether that one has a quorum is not seen from here. */
const isOutside = ({ cluster, members }: NodeStatus): boolean =>
  cluster !== null && members.some((member) => member.self && member.role === 'observer')

/** Founded, and nobody leads: nothing can be committed now. */
const quorumLost = (status: NodeStatus): boolean =>
  status.cluster !== null && status.leader === null && !isOutside(status) && ownBar(status) === undefined

/** The others do not count this node's vote, nor answer to it: what they have decided is not seen from here. */
const ownBar = ({ members }: NodeStatus): string | undefined => members.find((member) => member.self)?.barred

function leaderText(status: NodeStatus, style: Style): string {
  const term = `term ${status.term}`
  if (status.leader !== null) {
    const seat = status.members.find((member) => member.peerId === status.leader)?.seat
    const self = status.leader === status.node ? ', this node' : ''
    return `${shortPeer(status.leader)}${seatText(seat)}${self}, ${term}${status.writable ? ', writable' : ''}`
  }
  const bar = ownBar(status)
  if (bar !== undefined) return style.red(`none known: this node's vote is not counted (${bar})`)
  if (!quorumLost(status)) return 'none known'
  const voters = status.members.filter((member) => member.role === 'voter')
  const reachable = voters.filter(isReachable).length
  const needed = Math.floor(voters.length / 2) + 1
  const counted = `${reachable} of ${plural(voters.length, 'voter')} reachable, ${needed} needed`
  return style.red(`none, ${term}: ${counted}`)
}

const isReachable = ({ connected, self, barred }: MemberInfo): boolean => (connected || self) && barred === undefined

/** Applied is what is known to be committed; after a restart only a leader can say how far that reaches. */
function configText({ config, cluster, leader }: NodeStatus): string {
  if (config !== null) return `version ${config.version}  ${shortHash(config.hash)}`
  if (cluster === null) return 'none yet'
  return leader === null
    ? 'not confirmed yet: without a majority nobody knows which version is the last'
    : 'not confirmed yet'
}

function safetyText({ safety }: NodeStatus): string {
  const { foundingSize, incarnationsSeen, splitNeeds } = safety
  return `N=${foundingSize}, ${plural(incarnationsSeen, 'incarnation')} seen, a split would need ${splitNeeds}`
}

const seatText = (seat: number | undefined | null): string => (typeof seat === 'number' ? ` (seat ${seat})` : '')

function section(title: string, lines: readonly string[], style: Style): readonly string[] {
  return lines.length === 0 ? [] : ['', style.bold(`  ${title}`), ...lines.map((line) => `    ${line}`)]
}

export function memberLines(members: readonly MemberInfo[], style: Style): readonly string[] {
  if (members.length === 0) return []
  const isAnyKnown = members.some(({ address }) => typeof address === 'string')
  const rows = members.map((member) => [
    symbolOf(member, style),
    typeof member.seat === 'number' ? `seat ${member.seat}` : '-',
    member.role,
    member.peerId,
    ...(isAnyKnown ? [readable(member.address ?? '-')] : []),
    notesOn(member, members, style)
  ])
  return table(rows)
}

function symbolOf({ connected, self, barred }: MemberInfo, { symbols, ...style }: Style): string {
  if (typeof barred === 'string') return style.red(symbols.failed)
  return connected || self ? style.green(symbols.done) : style.dim(symbols.idle)
}

const VOTES = {
  now: '',
  'by-itself': 'gets a vote by itself',
  'when-promoted': 'votes when promoted',
  never: 'never votes'
} as const

function notesOn(member: MemberInfo, members: readonly MemberInfo[], style: Style): string {
  const notes: string[] = []
  if (member.leader) notes.push(style.bold('leader'))
  if (typeof member.barred === 'string') notes.push(style.red(`barred: ${member.barred}, its vote is not counted`))
  if (VOTES[member.vote] !== '') notes.push(VOTES[member.vote])
  if (member.self) notes.push('this node')
  if (member.heir === 1) notes.push('leads next')
  if (member.priority !== undefined && member.priority !== PRIORITY_DEFAULT) notes.push(`priority ${member.priority}`)
  if (!member.self && !member.connected) notes.push(style.yellow('not connected'))
  // Two disks of one machine: here the PeerId alone does not say which is meant.
  if (members.some(({ peerId, storeId }) => peerId === member.peerId && storeId !== member.storeId)) {
    notes.push(`disk ${member.storeId}`)
  }
  return notes.join(', ')
}

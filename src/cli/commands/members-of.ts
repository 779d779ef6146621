/**
 * What a command must know of the members before it asks for a change: that there are any, and whom an argument means.
 *
 * Before founding nothing can be decided, and the node would wait for it until the timeout; a person wants to know at once.
 */
import type { MemberInfo, NodeStatus } from '../../node/types.ts'
import { NotFormedError, UsageError } from '../cli-errors.ts'
import type { Io } from '../io.ts'
import { ask, type AskOptions } from './shared.ts'

export const PEER_TEXTS = 'seat number, PeerId, or the unique end of one'

/** Fewer characters are more likely a slip than a name. */
const SUFFIX_CHARS_MIN = 4

/** The status of a node whose cluster is founded. Throws NotFormedError. */
export async function foundedStatus(io: Io, options: AskOptions): Promise<NodeStatus> {
  const status = await ask(io, options, 'the status', (client, limits) => client.status(limits))
  if (status.cluster === null) throw new NotFormedError('cluster', status.stage, status.waitingFor)
  return status
}

/** The PeerId (or incarnation, `<peerId>#<storeId>`) that the argument means. Throws UsageError, NotFormedError. */
export async function peerArgument(io: Io, options: AskOptions, text: string): Promise<string> {
  const { members } = await foundedStatus(io, options)
  return resolvePeer(members, text)
}

/** As `peerArgument`. A whole PeerId is taken as it is: whether it is a member is the cluster's to say. */
export function resolvePeer(members: readonly MemberInfo[], text: string): string {
  if (isWhole(text) || members.some(({ peerId, storeId }) => text === peerId || text === `${peerId}#${storeId}`)) {
    return text
  }
  const seat = /^(?:seat[ -]?)?(\d{1,3})$/.exec(text)?.[1]
  if (seat !== undefined) return onlyOne(members, (member) => member.seat === Number(seat), `seat ${Number(seat)}`)
  // As the views print it.
  const suffix = text.replace(/^(?:…|\.\.\.)/, '')
  if (suffix.length < SUFFIX_CHARS_MIN) throw noMember(text, members)
  return onlyOne(members, ({ peerId }) => peerId.endsWith(suffix), text)
}

/** Base58 of an Ed25519 key. */
const isWhole = (text: string): boolean => /^12D3KooW[1-9A-HJ-NP-Za-km-z]{44}(?:#|$)/.test(text)

/** Two disks of one machine are one PeerId; which of them is meant, the cluster asks. */
function onlyOne(members: readonly MemberInfo[], fits: (member: MemberInfo) => boolean, text: string): string {
  const [first, ...others] = new Set(members.filter(fits).map(({ peerId }) => peerId))
  if (first === undefined) throw noMember(text, members)
  if (others.length === 0) return first
  throw new UsageError(`${text} can be ${[first, ...others].join(' or ')}`, 'Give more of the PeerId, or all of it.')
}

const noMember = (text: string, members: readonly MemberInfo[]): UsageError =>
  new UsageError(
    `no member is ${text}; there are ${members.map(nameOf).join(', ')}`,
    'Name a member by its seat, its PeerId, or the end of that: `quorate members` lists them.'
  )

const nameOf = ({ seat, peerId }: MemberInfo): string =>
  typeof seat === 'number' ? `seat ${seat} (${peerId})` : peerId

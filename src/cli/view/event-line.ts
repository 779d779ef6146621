/** One event of a node as one line for people. Pure; used where output is a pipe, and above the live block. */
import type { StampedNodeEvent } from '../../node/types.ts'
import { unreachable } from '../../core/invariant.ts'
import { durationText } from '../duration.ts'
import { printable, readable, shortHash, shortPeer } from './text.ts'

/** Undefined for what is only noise to a person: a stage that starts, or one whose end has an event of its own. */
export function eventLine(event: StampedNodeEvent): string | undefined {
  switch (event.event) {
    case 'listening':
      return `listening on ${event.addresses.join(' ')}`
    case 'stage':
      if (event.status === 'start') return undefined
      if (event.status === 'failed')
        // What ended the node is said in full once, by the command, when the node has stopped.
        return `${event.stage} failed: ${printable(event.error?.name ?? 'no reason given')}`
      if (event.stage === 'ready') return undefined
      return `${event.stage} done after ${durationText(event.ms)}`
    case 'peer':
      return peerLine(event)
    case 'leader':
      return event.leader === null
        ? `no leader in term ${event.term}`
        : `leader ${selfOr(event.leader, event.node)}, term ${event.term}`
    case 'writable':
      return `writable in term ${event.term}: this node leads and its first entry is committed`
    case 'ready':
      return `ready after ${durationText(event.ms)}: leader ${selfOr(event.leader, event.node)}, term ${event.term}, config ${event.configVersion} ${shortHash(event.configHash)}`
    case 'config':
      return `config version ${event.version} ${shortHash(event.hash)}${event.recovered === true ? ', as before,' : ''} by ${selfOr(event.author, event.node)}${event.reason === '' ? '' : `: ${printable(event.reason)}`}`
    case 'member':
      return `member ${selfOr(event.peer, event.node)} is ${event.role === 'removed' ? 'removed' : `a ${event.role}`}`
    case 'waiting':
      return event.waitingFor.length === 0 ? undefined : `waiting for: ${event.waitingFor.map(readable).join('; ')}`
    case 'alarm':
      return `alarm ${event.code}: ${printable(event.detail)}`
    case 'stopped':
      return `stopped: ${printable(event.error?.name ?? event.reason)}`
    default:
      return unreachable(event)
  }
}

function peerLine(event: Extract<StampedNodeEvent, { event: 'peer' }>): string {
  const seat = event.seat === undefined ? '' : ` (seat ${event.seat})`
  const source = event.source === undefined ? '' : ` by ${event.source}`
  const why = [event.code, event.detail].filter((text) => text !== undefined).map(printable)
  return `${event.status} ${shortPeer(event.peer)}${seat}${source}${why.length === 0 ? '' : `: ${why.join(': ')}`}`
}

export const selfOr = (peer: string, self: string): string => (peer === self ? 'this node' : shortPeer(printable(peer)))

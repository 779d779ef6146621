/** What formation reports, in the words of the replica's events. */
import type { FormationEvent } from '../formation/types.ts'
import type { ReplicaEvent } from './types.ts'

export function reportFormation(event: FormationEvent): readonly ReplicaEvent[] {
  switch (event.type) {
    case 'founder-seen':
      return [event]
    case 'campaign':
      return [{ type: 'campaign', phase: 'founding', term: event.term, reason: 'all founders are present' }]
    case 'elected':
      return [{ type: 'founding-leader', term: event.term, votes: event.votes }]
    case 'seat-conflict': {
      const [a, b] = event.claims
      return [{ type: 'seat-conflict', seat: event.seat, peerIds: [a.peerId, b.peerId], own: event.own }]
    }
    case 'rival-certificate': {
      const { term, set } = event.certificate
      const founders = set.claims.map(({ peerId }) => peerId).join(', ')
      const detail = `another cluster of this genesis exists, founded in term ${term} by ${founders}`
      return [{ type: 'alarm', code: 'rival-cluster', detail }]
    }
    case 'accepted':
    case 'formed':
      return []
  }
}

/**
 * Invariants 13, 17, 19 and 22: who founded could prove it, a token lets in as many machines as it says and as what it says, and a
 * machine has one vote.
 */
import { toHex } from '../../core/bytes.ts'
import { messageOf } from '../../core/errors.ts'
import { clusterIdOf, readCertificate } from '../../identity/certificate.ts'
import type { Membership } from '../../raft/types.ts'
import { namedBy, peerIdOf } from '../../replica/incarnations.ts'
import type { Process } from '../process.ts'
import type { Memory } from './memory.ts'
import type { Invariant } from './names.ts'

export class CredentialOracle {
  readonly #memory: Memory
  /** Certificates that hold, by cluster. */
  readonly #genuine = new Set<string>()
  /** Configurations that were looked at. */
  readonly #judged = new Set<string>()
  /** PeerIds that a configuration has named, by the token that they brought. */
  readonly #bearers = new Map<string, Set<string>>()

  constructor(memory: Memory) {
    this.#memory = memory
  }

  #fail(invariant: Invariant, process: Process, detail: string): void {
    this.#memory.fail(invariant, process, detail)
  }

  /** The certificate is what its cluster is named after, and all of the founding size have signed it, one for each seat. */
  founded(process: Process, clusterId: string, document: Uint8Array): void {
    const { genesis } = this.#memory.world.cast
    const { foundingSize } = genesis.genesis
    if (this.#genuine.has(clusterId)) return
    try {
      const { certificate } = readCertificate(document, genesis)
      const { claims } = certificate.set
      const seats = new Set(claims.map(({ seat }) => seat))
      const peers = new Set(claims.map(({ peerId }) => peerId))
      const named = toHex(clusterIdOf(certificate, genesis))
      if (seats.size !== foundingSize || peers.size !== foundingSize || claims.length !== foundingSize) {
        const detail = `${claims.length} claims of ${peers.size} peers on ${seats.size} seats founded a cluster of ${foundingSize}`
        this.#fail('founded-by-all', process, detail)
      }
      if (named !== clusterId) {
        this.#fail(
          'founded-by-all',
          process,
          `its certificate is of cluster ${named.slice(0, 8)}, it is in ${clusterId.slice(0, 8)}`
        )
      }
      this.#genuine.add(clusterId)
      for (const { incarnation } of claims) this.#entered(process, incarnation)
    } catch (error) {
      this.#fail('founded-by-all', process, `its certificate does not hold: ${messageOf(error)}`)
    }
  }

  /** A configuration was appended, here or anywhere. */
  named(process: Process, place: string, membership: Membership): void {
    if (this.#judged.has(place)) return
    this.#judged.add(place)
    for (const group of [membership.voters, membership.outgoing]) this.#mayVote(process, group)
    for (const incarnation of namedBy(membership)) this.#entered(process, incarnation)
  }

  #mayVote(process: Process, group: readonly string[]): void {
    const { cast } = this.#memory.world
    const peers = new Set<string>()
    for (const incarnation of group) {
      const peerId = peerIdOf(incarnation)
      if (cast.actorOf(peerId)?.token.role === 'observer') {
        this.#fail('observer-never-votes', process, `${peerId} came as an observer, and gets a vote`)
      }
      if (peers.has(peerId)) {
        const detail = `${this.#memory.world.nameOf(incarnation)} has two votes, one for each disk`
        this.#fail('one-vote-a-machine', process, detail)
      }
      peers.add(peerId)
    }
  }

  #entered(process: Process, incarnation: string): void {
    const peerId = peerIdOf(incarnation)
    const actor = this.#memory.world.cast.actorOf(peerId)
    if (actor === undefined)
      return this.#fail('no-stranger', process, `${incarnation} is a member without a credential`)
    const { tokenId, uses } = actor.token
    let bearers = this.#bearers.get(tokenId)
    if (bearers === undefined) this.#bearers.set(tokenId, (bearers = new Set()))
    bearers.add(peerId)
    if (bearers.size <= uses) return
    const names = [...bearers].map((id) => this.#memory.world.nameOf(id)).join(', ')
    this.#fail('token-uses', process, `a token for ${uses} has made members of ${names}`)
  }
}

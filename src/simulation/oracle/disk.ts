/** Invariants 6, 7 and 13: what reaches the disk, what is read back from it, and that what is sent rests on it. */
import { messageOf } from '../../core/errors.ts'
import { type FormationState, FormationStateError, decodeFormationState } from '../../formation/index.ts'
import { readCertificate } from '../../identity/certificate.ts'
import type { HardState } from '../../raft/types.ts'
import { FORMATION_CELL, VOTE_CELL, decodeHardState } from '../../replica/durable.ts'
import { decodeFrame } from '../../replica/frames.ts'
import type { DurableBatch } from '../../replica/types.ts'
import type { Process } from '../process.ts'
import { flagIn, isFormationFrame, numberIn, raftTypeOf } from '../peek.ts'
import { type Durable, extend, type Memory, type Place, replacedBy } from './memory.ts'
import type { Invariant } from './names.ts'

/** Whom a founder begins with its vote for; undefined before the latch, and for whoever is no founder. */
function openerOf({ formation }: Durable, incarnation: string): string | undefined {
  const claims = formation?.certificate?.set.claims ?? []
  return claims.some((claim) => claim.incarnation === incarnation) ? claims[0]!.incarnation : undefined
}

export class DiskOracle {
  readonly #memory: Memory

  constructor(memory: Memory) {
    this.#memory = memory
  }

  formation(cell: Uint8Array): FormationState {
    return decodeFormationState(cell, this.#memory.world.cast.crypto.readClaim)
  }

  /** Of a founder whose log is older than the founding, while its certificate is beside the key: that is its first vote (decision 0018). */
  votedByCertificate({ machine, recovery }: Process): HardState | undefined {
    if (machine.certificate === undefined || recovery.cells.has(VOTE_CELL)) return undefined
    const { claims } = readCertificate(machine.certificate, this.#memory.world.cast.genesis).certificate.set
    const isFounder = claims.some(({ incarnation }) => incarnation === machine.incarnation)
    return isFounder ? { term: 1, votedFor: claims[0]!.incarnation } : undefined
  }

  #fail(invariant: Invariant, process: Process, detail: string): void {
    this.#memory.fail(invariant, process, detail)
  }

  /** What was acknowledged is read back (invariant 6, on the disk image). More may be there: a write that nobody was told of. */
  recovered(process: Process, found: Durable): void {
    const known = this.#memory.diskOf(process)
    if (known !== undefined && !process.machine.distrusted) this.#compare(process, known, found)
    this.#memory.setDiskOf(process, found)
  }

  #compare(process: Process, known: Durable, found: Durable): void {
    if (found.term < known.term)
      this.#fail('durable-vote', process, `term ${known.term} was synced, ${found.term} is read back`)
    else if (found.term === known.term && known.votedFor !== undefined && found.votedFor !== known.votedFor) {
      this.#fail('durable-vote', process, `the vote of term ${found.term} is another one after the restart`)
    }
    if (known.formation?.certificate !== undefined && found.formation?.certificate === undefined) {
      this.#fail('durable-latch', process, 'the founding certificate was synced and is gone')
    }
    this.#compareLogs(process, known.log, found.log)
  }

  /** An entry that was synced is lost only to one of a later term: nothing is cut without being replaced. */
  #compareLogs(process: Process, known: readonly Place[], found: readonly Place[]): void {
    const at = known.findIndex(({ chain }, i) => found[i]?.chain !== chain)
    if (at === -1) return
    const instead = found[at]
    if (instead === undefined) {
      const detail = `${known.length} entries were synced, ${found.length} are read back`
      this.#fail('durable-log', process, detail)
    } else if (instead.term <= known[at]!.term) {
      this.#fail('durable-log', process, `entry ${at + 1} was synced, and another one is read back`)
    }
  }

  /** A batch is durable: (term, vote) is written once a term, and the latch once and for all (invariants 6, 13). True when its snapshot replaced the log. */
  persisted(process: Process, { cells, snapshot, entries }: DurableBatch): boolean {
    const durable = this.#memory.diskOf(process)!
    for (const { name, value } of cells ?? []) {
      if (name === VOTE_CELL) this.#voted(process, durable, value)
      else if (name === FORMATION_CELL) this.#formed(process, durable, value)
    }
    const opener = openerOf(durable, process.machine.incarnation)
    if (opener !== undefined && durable.term === 0) {
      this.#fail('durable-vote', process, 'the founding certificate is on disk, and the vote that it stands for is not')
    }
    const clusterId = this.#memory.clusterOf.get(process.machine.incarnation)
    const committed = (clusterId === undefined ? undefined : this.#memory.clusters.get(clusterId))?.committed
    const isReplaced = snapshot !== undefined && replacedBy(durable.log, snapshot, committed ?? []) === true
    if (entries !== undefined && entries.length > 0) extend(durable.log, entries)
    return isReplaced
  }

  #voted(process: Process, durable: Durable, value: Uint8Array): void {
    const { term, votedFor } = decodeHardState(value)
    const opener = durable.term === 0 ? openerOf(durable, process.machine.incarnation) : undefined
    if (opener !== undefined && (term !== 1 || votedFor !== opener)) {
      this.#fail('one-vote-a-term', process, 'its first vote is not for the first of its founding certificate')
    }
    if (term < durable.term)
      this.#fail('monotonic-term', process, `term ${durable.term} is on disk, ${term} is written over it`)
    if (term === durable.term && durable.votedFor !== undefined && votedFor !== durable.votedFor) {
      const before = this.#memory.world.nameOf(durable.votedFor)
      this.#fail('one-vote-a-term', process, `in term ${term} it voted for ${before} and then for another`)
    }
    durable.term = term
    durable.votedFor = votedFor
  }

  #formed(process: Process, durable: Durable, value: Uint8Array): void {
    const before = durable.formation
    const next = this.#readable(process, value)
    durable.formation = next
    if (before === undefined || next === undefined) return
    if (next.term < before.term) {
      const detail = `founding term ${before.term} is on disk, ${next.term} is written over it`
      this.#fail('formation-term', process, detail)
    }
    if (next.term === before.term && before.votedFor !== undefined && next.votedFor !== before.votedFor) {
      this.#fail('formation-one-vote', process, `it votes twice in founding term ${next.term}`)
    }
    if (before.certificate !== undefined && next.certificate === undefined) {
      this.#fail('durable-latch', process, 'the founding certificate is overwritten')
    }
    if ((next.accepted?.term ?? 0) < (before.accepted?.term ?? 0)) {
      this.#fail('formation-acceptance', process, 'its accepted founding set goes back to an earlier term')
    }
  }

  /** What is written has to be read back after a restart. */
  #readable(process: Process, value: Uint8Array): FormationState | undefined {
    try {
      return this.formation(value)
    } catch (error) {
      if (!(error instanceof FormationStateError)) throw error
      this.#fail(
        'write-what-you-say',
        process,
        `nobody can read the founding state that it writes: ${messageOf(error)}`
      )
      return undefined
    }
  }

  /** Invariant 7: what leaves rests on nothing that is not on disk. */
  sends(process: Process, to: string, frame: Uint8Array): void {
    const type = raftTypeOf(frame)
    switch (type as string | undefined) {
      case 'vote-reply':
        if (flagIn(frame, 1)) this.#sendsVote(process, to, numberIn(frame, 0))
        return
      case 'append-accepted':
        this.#sendsAcknowledgement(process, numberIn(frame, 0), numberIn(frame, 1))
        return
      case undefined:
        if (isFormationFrame(frame)) this.#sendsFormation(process, frame)
        return
      default:
        return
    }
  }

  #sendsVote(process: Process, to: string, term: number): void {
    const durable = this.#memory.diskOf(process)
    if (durable === undefined) return
    if (durable.term === term && (durable.votedFor ?? '').startsWith(`${to}#`)) return
    // A later term may be on disk by now; then the vote was, too.
    if (durable.term <= term) this.#undurable(process, `its vote in term ${term}`)
  }

  #sendsAcknowledgement(process: Process, term: number, match: number): void {
    const durable = this.#memory.diskOf(process)
    if (durable === undefined || match <= durable.log.length) return
    // What was stored may have been replaced since, by a leader of a later term; whom the answer is for has lost its office.
    if (term >= (process.replica.consensus()?.term ?? 0)) this.#undurable(process, `entries up to ${match}`)
  }

  #undurable(process: Process, what: string): void {
    this.#fail('durable-before-send', process, `it tells a peer of ${what} before the disk has it`)
  }

  #sendsFormation(process: Process, bytes: Uint8Array): void {
    const durable = this.#memory.diskOf(process)
    if (durable === undefined) return
    const { genesis, crypto } = this.#memory.world.cast
    const frame = decodeFrame(bytes, {
      domainId: genesis.domainId,
      clusterId: undefined,
      generation: genesis.genesis.generation,
      readClaim: crypto.readClaim
    })
    if (frame.kind !== 'formation') return
    const { message } = frame
    const { formation } = durable
    if (message.type === 'vote' && (formation === undefined || formation.term < message.term)) {
      this.#undurable(process, `its founding vote in term ${message.term}`)
    }
    if (message.type === 'accept' && (formation?.accepted?.term ?? 0) < message.term) {
      this.#undurable(process, `a founding set accepted in term ${message.term}`)
    }
  }
}

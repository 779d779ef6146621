/**
 * What a node keeps of others beside its log: how far their disks were (boot-watch.ts), and who has held founding credentials
 * (founders-met.ts).
 *
 * Neither is part of a promise that somebody waits for. They are written off everybody's path, when they say something new: nothing
 * rests on these writes, and what a crash loses of them is met again.
 */
import { equalBytes } from '../core/bytes.ts'
import type { FoundingCertificate } from '../formation/types.ts'
import type { BootWatch } from './boot-watch.ts'
import { BOOTS_CELL, encodeBoots } from './durable.ts'
import type { Fences } from './fences.ts'
import { FoundersMet, MET_CELL } from './founders-met.ts'
import type { Founding } from './founding.ts'
import type { Guests } from './guests.ts'
import { peerIdOf } from './incarnations.ts'
import type { ReplicaInit } from './init.ts'
import type { Outbox } from './outbox.ts'
import { isDue } from './times.ts'

interface Around {
  readonly outbox: Outbox
  readonly founding: Founding
  readonly boots: BootWatch
  readonly fences: Fences
  readonly guests: Guests
  /** Undefined until founded. */
  readonly certificate: () => FoundingCertificate | undefined
}

export class Memories {
  readonly met: FoundersMet
  readonly #around: Around
  #bootsWritten: Uint8Array
  #writes = 0

  constructor({ foundersMet = [], boots }: Pick<ReplicaInit, 'foundersMet' | 'boots'>, around: Around) {
    this.met = new FoundersMet(foundersMet)
    this.#bootsWritten = encodeBoots(boots.known)
    this.#around = around
  }

  /** Met, named by a founding document, or ever a member that did not come with a join token. */
  foundingIncarnations(): ReadonlySet<string> {
    const { founding, fences, guests } = this.#around
    const members = fences.history?.remembered().ever ?? []
    return new Set([
      ...this.met.names,
      ...founding.status().seen,
      ...members.filter((id) => !guests.isJoiner(peerIdOf(id)))
    ])
  }

  pump(now: number): void {
    this.#keepBoots(now)
    this.#keepMet(now)
  }

  /** Of members only, so not before it is known who they are. */
  #keepBoots(now: number): void {
    const { boots, fences } = this.#around
    const stores = fences.history === undefined ? undefined : boots.toKeep(now)
    if (stores === undefined) return
    const bytes = encodeBoots(stores)
    if (equalBytes(bytes, this.#bootsWritten)) return
    this.#bootsWritten = bytes
    this.#write(BOOTS_CELL, bytes)
  }

  /** Whom the certificate does not name. */
  #keepMet(now: number): void {
    if (!isDue(this.met.deadline, now)) return
    const founders = this.#around.certificate()?.set.claims.map(({ incarnation }) => incarnation)
    const value = this.met.toKeep(now, new Set(founders))
    if (value !== undefined) this.#write(MET_CELL, value)
  }

  #write(name: string, value: Uint8Array): void {
    this.#around.outbox.write('sessions', ++this.#writes, { cells: [{ name, value }] })
  }
}

/**
 * What a peer's boot counter gives away (FAULTS P4 to P6).
 *
 * A store counts its process starts durably, and each process life draws a nonce. Whoever remembers the highest (boot, nonce) of
 * an incarnation can therefore tell a machine that was set back to an older disk (its counter falls, or starts the same boot
 * again) and two machines that run from one copied disk or key (both alive). Nothing here decides what follows; the alarms say
 * what was seen. Left out: a cluster whose machines were all set back together has nobody who remembers.
 */
import { invariant } from '../core/invariant.ts'
import type { BootSighting } from './judge.ts'

export type IdentityAlarmCode =
  /** A process life that the disk should have counted is missing from it: an older disk is in use. Its votes cannot be trusted. */
  | 'rolled-back'
  /** Two process lives under one key at the same time. */
  | 'clone'
  /** The key lives on with an empty disk: a new incarnation. */
  | 'disk-lost'

export interface IdentityAlarm {
  readonly code: IdentityAlarmCode
  /** One sentence that names both sightings. */
  readonly detail: string
  readonly seen: BootSighting
  readonly known: BootSighting
}

export interface KnownBoot extends BootSighting {
  /** It has a session now. */
  readonly live: boolean
}

/** Remembered process lives, newest last, at most one for each incarnation. */
export type BootMemory = readonly KnownBoot[]

/** More incarnations than this are not remembered: the ones that are gone longest are dropped first. */
export const BOOTS_REMEMBERED_MAX = 1024

/** What this sighting says in the light of what is known. Empty for everything that is in order. */
export function bootAlarms(memory: BootMemory, seen: BootSighting): readonly IdentityAlarm[] {
  const remembered = memory.some((known) => isSame(known, seen))
  return memory
    .filter(({ peerId }) => peerId === seen.peerId)
    .flatMap((known) => {
      const alarm = known.storeId === seen.storeId ? sameStore(known, seen) : otherStore(known, seen, remembered)
      return alarm === undefined ? [] : [alarm]
    })
}

/** The memory with this sighting, now live. A lower boot never replaces a higher one. */
export function rememberBoot(memory: BootMemory, seen: BootSighting): BootMemory {
  const { peerId, storeId, boot, bootNonce } = seen
  const previous = memory.find((known) => isSame(known, seen))
  const next: KnownBoot =
    previous !== undefined && previous.boot > boot
      ? { ...previous, live: true }
      : { peerId, storeId, boot, bootNonce, live: true }
  return bounded([...memory.filter((known) => !isSame(known, seen)), next])
}

/** The memory after this process life's session has closed. */
export function forgetLive(memory: BootMemory, gone: BootSighting): BootMemory {
  return memory.map((known) => (isSame(known, gone) ? { ...known, live: false } : known))
}

function sameStore(known: KnownBoot, seen: BootSighting): IdentityAlarm | undefined {
  const who = `${seen.peerId}#${seen.storeId}`
  if (seen.boot < known.boot) {
    return {
      code: 'rolled-back',
      detail: `${who} shows boot ${seen.boot} after boot ${known.boot} was seen: it runs from an older copy of its disk`,
      seen,
      known
    }
  }
  if (seen.boot > known.boot || seen.bootNonce === known.bootNonce) return undefined
  const lives = `${known.bootNonce} and ${seen.bootNonce}`
  return known.live
    ? { code: 'clone', detail: `${who} is alive twice in boot ${seen.boot}, as ${lives}`, seen, known }
    : {
        code: 'rolled-back',
        detail: `${who} lived boot ${seen.boot} twice, as ${lives}: its disk was set back`,
        seen,
        known
      }
}

/** A lost disk is news once; that a key has two live disks stays news. */
function otherStore(known: KnownBoot, seen: BootSighting, remembered: boolean): IdentityAlarm | undefined {
  const { peerId, storeId } = seen
  if (known.live) {
    const detail = `${peerId} is alive on two disks, ${known.storeId} and ${storeId}: its key was copied`
    return { code: 'clone', detail, seen, known }
  }
  if (remembered) return undefined
  return { code: 'disk-lost', detail: `${peerId} was on disk ${known.storeId} and is now on ${storeId}`, seen, known }
}

const isSame = (a: BootSighting, b: BootSighting): boolean => a.peerId === b.peerId && a.storeId === b.storeId

function bounded(memory: BootMemory): BootMemory {
  if (memory.length <= BOOTS_REMEMBERED_MAX) return memory
  const gone = memory.findIndex(({ live }) => !live)
  const dropped = memory.toSpliced(gone === -1 ? 0 : gone, 1)
  invariant(dropped.length <= BOOTS_REMEMBERED_MAX, 'one sighting adds one entry')
  return dropped
}

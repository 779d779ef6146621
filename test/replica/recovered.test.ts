/** What a start makes of a store: the cases that no run of a cluster brings about by itself. */
import { expect, it } from 'vitest'
import { decodeFormationState, type FoundingCertificate } from '../../src/formation/index.ts'
import { FORMATION_CELL } from '../../src/replica/durable.ts'
import { recoveredProgress, recoverFormation } from '../../src/replica/index.ts'
import { fakeCrypto } from '../formation/fake-crypto.ts'
import { VirtualCluster } from './virtual-cluster.ts'

const { readClaim } = fakeCrypto
const empty = { cells: new Map<string, Uint8Array>(), entries: [], snapshot: undefined }

function certificateOf(cluster: VirtualCluster): FoundingCertificate {
  const cell = cluster.nodes.get('p1')!.disk.cells.get(FORMATION_CELL)!
  return decodeFormationState(cell, readClaim).certificate!
}

it('the latch beside the key outlives the log: who lost its disk never founds a second time', () => {
  const kept = certificateOf(VirtualCluster.formed({ size: 3, seed: 1 }))
  expect(recoverFormation(empty, readClaim, kept).certificate).toBe(kept)
  expect(recoverFormation(empty, readClaim, undefined).certificate).toBeUndefined()
})

it('the certificate in the log comes before the one beside the key', () => {
  const cluster = VirtualCluster.formed({ size: 3, seed: 1 })
  const own = certificateOf(cluster)
  const { disk } = cluster.nodes.get('p1')!
  expect(recoverFormation(disk, readClaim, { ...own, term: own.term + 1 }).certificate).toEqual(own)
})

it('a snapshot beyond the entries that are left is the end of the log', () => {
  const snapshot = { index: 7, term: 2, data: new Uint8Array() }
  const entries = [{ index: 5, term: 2, type: 0, data: new Uint8Array() }]
  expect(recoveredProgress({ ...empty, entries, snapshot })).toMatchObject({ lastIndex: 7, commitIndex: 7 })
  expect(recoveredProgress(empty)).toMatchObject({ lastIndex: 0, commitIndex: 0 })
})

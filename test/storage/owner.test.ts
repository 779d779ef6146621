import { expect, test } from 'vitest'
import { sha256 } from '../../src/core/hash.ts'
import { checkOwnerShape, checkSameOwner, ownerTag } from '../../src/storage/owner.ts'
import type { StoreOwner } from '../../src/storage/port.ts'
import { owner } from './harness.ts'

test('an owner has 32, 16 and 1 to 128 bytes', () => {
  const shapes: readonly [Partial<StoreOwner>, string][] = [
    [{ domainId: new Uint8Array(31) }, 'domainId has 31 bytes, not 32'],
    [{ domainId: new Uint8Array(33) }, 'domainId has 33 bytes, not 32'],
    [{ storeId: new Uint8Array(15) }, 'storeId has 15 bytes, not 16'],
    [{ storeId: new Uint8Array(17) }, 'storeId has 17 bytes, not 16'],
    [{ peerId: '' }, 'peerId has 0 bytes, not 1 to 128'],
    [{ peerId: 'ü'.repeat(64) + 'x' }, 'peerId has 129 bytes, not 1 to 128']
  ]
  for (const [part, says] of shapes)
    expect(() => checkOwnerShape({ ...owner, ...part })).toThrow(`bug in quorate: ${says}`)
  for (const peerId of ['x', 'ü'.repeat(64)]) checkOwnerShape({ ...owner, peerId })
})

test('of two owners the first part that differs is named', () => {
  const other = { domainId: new Uint8Array(32).fill(1), peerId: 'mallory', storeId: new Uint8Array(16).fill(2) }
  const found = (part: Partial<StoreOwner>) => () => checkSameOwner('f', owner, { ...owner, ...part })
  const foreign = (what: string, expected: Uint8Array | string, is: string) =>
    expect.objectContaining({
      name: 'StorageForeignError',
      details: {
        file: 'f',
        what,
        expected: typeof expected === 'string' ? expected : Buffer.from(expected).toString('hex'),
        found: is
      }
    }) as Error
  found({})()
  expect(found(other)).toThrow(foreign('domain', owner.domainId, '01'.repeat(32)))
  expect(found({ ...other, domainId: owner.domainId })).toThrow(foreign('node', owner.peerId, 'mallory'))
  expect(found({ storeId: other.storeId })).toThrow(foreign('store', owner.storeId, '02'.repeat(16)))
})

test('its tag is the beginning of a hash of all of it', () => {
  const text = [Buffer.from('quorate storage owner\0'), owner.domainId, owner.storeId, Buffer.from(owner.peerId)]
  expect(ownerTag(owner)).toEqual(sha256(Buffer.concat(text)).slice(0, 8))
})

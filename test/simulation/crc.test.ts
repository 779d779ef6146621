import { crc32 as ofPlatform } from 'node:zlib'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { crc32 } from '../../src/simulation/crc.ts'

test('is the checksum of the platform, for short and long, at once and in pieces', () => {
  expect(crc32(new TextEncoder().encode('123456789'))).toBe(0xcbf43926)
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), fc.uint8Array({ maxLength: 40 }), (first, second) => {
      expect(crc32(first)).toBe(ofPlatform(first))
      expect(crc32(second, crc32(first))).toBe(ofPlatform(second, ofPlatform(first)))
    })
  )
})

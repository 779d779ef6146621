import { generateKeyPairFromSeed, publicKeyFromRaw } from '@libp2p/crypto/keys'
import { peerIdFromString, peerIdFromPublicKey as libp2pPeerId } from '@libp2p/peer-id'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { toHex } from '../../src/core/bytes.ts'
import {
  isPeerId,
  peerIdFromPublicKey,
  PEER_ID_CHARS,
  publicKeyFromPeerId,
  shortPeerId
} from '../../src/identity/peer-id.ts'
import { signerFromSeed } from '../../src/identity/signer.ts'

const key32 = fc.uint8Array({ minLength: 32, maxLength: 32 })

describe('PeerId', () => {
  it('is the text that libp2p gives the same key, and back', async () => {
    await fc.assert(
      fc.asyncProperty(key32, async (seed) => {
        const signer = signerFromSeed(seed)
        const pair = await generateKeyPairFromSeed('Ed25519', seed)
        expect(toHex(signer.publicKey)).toBe(toHex(pair.publicKey.raw))
        expect(signer.peerId).toBe(libp2pPeerId(publicKeyFromRaw(signer.publicKey)).toString())
        expect(toHex(peerIdFromString(signer.peerId).publicKey!.raw)).toBe(toHex(signer.publicKey))
      }),
      { numRuns: 20 }
    )
  })

  it('holds the key, whatever its bytes are', () => {
    fc.assert(
      fc.property(key32, (key) => {
        const peerId = peerIdFromPublicKey(key)
        expect(peerId).toHaveLength(PEER_ID_CHARS)
        expect(toHex(publicKeyFromPeerId(peerId)!)).toBe(toHex(key))
      })
    )
  })

  it('is nothing else', () => {
    const good = peerIdFromPublicKey(new Uint8Array(32).fill(7))
    const bad = ['', 'x', `${good}1`, good.slice(1), good.replace('12D3', '12D4'), `z${good}`, good.replace(/.$/, '0')]
    const others = [
      'QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N',
      '16Uiu2HAm7TkQ7ufQvKJGWeCkVmDcpV3CM8UyoDrBZ1n4UdHWtFnW'
    ]
    for (const text of [...bad, ...others]) expect(isPeerId(text), text).toBe(false)
    fc.assert(fc.property(fc.string(), (text) => !isPeerId(text)))
  })

  it('has a short form for people', () => {
    expect(shortPeerId(peerIdFromPublicKey(new Uint8Array(32)))).toHaveLength(19)
    expect(shortPeerId('short')).toBe('short')
  })
})

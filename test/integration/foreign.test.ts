/** Who is not of this cluster gets no further than admission, whichever side dials, and both sides say why. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { fromHex } from '../../src/core/bytes.ts'
import { secureBytes } from '../../src/core/random.ts'
import { makeBootStatement } from '../../src/identity/boot-statement.ts'
import { makeClaim } from '../../src/identity/claim.ts'
import { generateLocalKey, parseToken, type StampedNodeEvent } from '../../src/index.ts'
import {
  type Admitted,
  decodeVerdict,
  encodeHello,
  encodeVerdict,
  HELLO_VERSION
} from '../../src/membership/admission.ts'
import { createQuorateLibp2p } from '../../src/transport/libp2p/create-libp2p.ts'
import { founding, type NodeProcess, Yard } from './processes.ts'

let yard: Yard

beforeEach(async () => {
  yard = await Yard.open()
})

afterEach(async () => {
  await yard.close()
})

type Listening = Extract<StampedNodeEvent, { event: 'listening' }>
type Peer = Extract<StampedNodeEvent, { event: 'peer' }>

/** Without the PeerId: a seed as people write it. */
async function addressOf(node: NodeProcess): Promise<string> {
  const { addresses } = await node.until('listening', (event): event is Listening => event.event === 'listening')
  return addresses[0]!.replace(/\/p2p\/.*$/, '')
}

const refused =
  (code: string) =>
  (event: StampedNodeEvent): event is Peer =>
    event.event === 'peer' && event.status === 'refused' && event.code === code

const admitted = ({ events }: NodeProcess, id: string): boolean =>
  events.some((event) => event.event === 'peer' && event.status === 'authenticated' && event.peer === id)

describe('a node of another cluster on the same LAN', () => {
  it('is refused by both sides, whoever dials, and the cluster forms without it', async () => {
    const ours = await founding('ours', 2)
    const theirs = await founding('theirs', 2)
    const stranger = yard.start('stranger', { token: theirs.tokens[0]! })
    const first = yard.start('n1', { token: ours.tokens[0]!, args: ['--seed', await addressOf(stranger)] })
    const caller = yard.start('caller', { token: theirs.tokens[1]!, args: ['--seed', await addressOf(first)] })
    const second = yard.start('n2', { token: ours.tokens[1]! })
    const nodes = [first, second]
    const ready = await Promise.all(nodes.map((node) => node.ready()))
    expect(ready[0]!.cluster).toBe(ready[1]!.cluster)

    await first.until('our refusal as the one who dials', refused('foreign-domain'))
    await stranger.until('their refusal as the one who is dialled', refused('foreign-domain'))
    await caller.until('their refusal as the one who dials', refused('foreign-domain'))
    await Promise.all([stranger.ready(), caller.ready()])
    for (const node of nodes) {
      for (const other of [stranger, caller]) expect(admitted(node, other.events[0]!.node)).toBe(false)
    }
    for (const other of [stranger, caller]) {
      for (const node of nodes) expect(admitted(other, node.events[0]!.node)).toBe(false)
    }
  })

  it('is told that its token was used when it comes with a copy after founding', async () => {
    const { tokens } = await founding('copied', 2)
    const nodes = tokens.map((token, i) => yard.start(`n${i + 1}`, { token }))
    await Promise.all(nodes.map((node) => node.ready()))
    const copy = yard.start('copy', { token: tokens[1]!, args: ['--seed', await addressOf(nodes[0]!)] })
    const { detail } = await copy.until('token-already-used', refused('token-already-used'))
    expect(detail).toContain(nodes[1]!.events[0]!.node)
    // Nothing that it could wait for: it ends, and says what can be done.
    expect((await copy.exited).code).toBe(3)
    expect(copy.stderr).toContain('NotAdmittedError')
    // Whoever it met first: it may have ended before it met the other.
    const ours = await Promise.any(nodes.map((node) => node.until('our own word on it', refused('token-already-used'))))
    expect(ours.peer).toBe(copy.events[0]!.node)
    expect(admitted(nodes[0]!, copy.events[0]!.node)).toBe(false)
  })

  it('is told by those who are here, and they are told too, that its token has expired', async () => {
    const expired = { 2: { expiresMs: Date.now() - 3_600_000 } }
    const { tokens } = await founding('expired', 2, { limits: expired })
    const first = yard.start('n1', { token: tokens[0]! })
    const late = yard.start('n2', { token: tokens[1]!, args: ['--seed', await addressOf(first)] })
    const theirs = await late.until('their word', refused('token-expired'))
    const ours = await first.until('our word', refused('token-expired'))
    expect([theirs.source, ours.source]).toEqual(['them', 'us'])
    expect(ours.peer).toBe(late.events[0]!.node)
    const { waitingFor } = await first.until(
      'the reason in what it waits for',
      (event): event is Extract<StampedNodeEvent, { event: 'waiting' }> =>
        event.event === 'waiting' && event.waitingFor.some((text) => text.includes('token-expired'))
    )
    expect(waitingFor[0]).toContain('1 of 2 founders: seat 2 not seen')
  })

  it('is told that its token was made for another peer', async () => {
    const stranger = generateLocalKey().signer.peerId
    const { tokens } = await founding('bound', 2, { limits: { 2: { boundPeer: stranger } } })
    const wrong = yard.start('n2', { token: tokens[1]! })
    // Its own start already refuses: nothing is gained by dialling with a token of somebody else.
    expect((await wrong.exited).code).not.toBe(0)
    expect(wrong.stderr + JSON.stringify(wrong.events)).toContain(stranger)
  })

  it('is told by a node that its token was altered', async () => {
    const { tokens, domainId } = await founding('altered', 2)
    const first = yard.start('n1', { token: tokens[0]! })
    const address = await addressOf(first)
    // Our own start would refuse such a token, so this peer speaks the exchange by hand, over the real transport.
    const key = generateLocalKey()
    const token = parseToken(tokens[1]!)
    const storeId = secureBytes(16)
    const claim = await makeClaim({
      node: key.signer,
      storeId,
      nonce: secureBytes(16),
      by: { type: 'token', token }
    })
    // The bundle ends with the token's last signature.
    claim[claim.byteLength - 1]! ^= 1
    const hello = encodeHello({
      version: HELLO_VERSION,
      domainId: fromHex(domainId)!,
      generation: 1,
      claim,
      boot: await makeBootStatement(key.signer, {
        domainId: fromHex(domainId)!,
        generation: 1,
        storeId,
        boot: 1,
        bootNonce: secureBytes(16),
        sequence: 0,
        term: 0,
        votedFor: undefined,
        lastIndex: 0,
        commitIndex: 0,
        seen: undefined
      }),
      clusterId: undefined,
      addressRecord: undefined,
      wallMs: Date.now(),
      agent: 'forger',
      priority: 100,
      needGenesis: false
    })
    const { transport } = await createQuorateLibp2p({
      seed: key.seed.reveal(),
      domainId: fromHex(domainId)!,
      listen: [],
      gate: {
        hello: () => hello,
        judge: () => ({ type: 'admitted', admitted: {} as Admitted, verdict: encodeVerdict({ ok: true }) }),
        readVerdict(bytes) {
          const verdict = decodeVerdict(bytes)
          return verdict.ok ? verdict : { ok: false, refusal: { code: verdict.code, detail: verdict.detail } }
        }
      }
    })
    await transport.start({ onSessionOpen() {}, onSessionClose() {}, onFrame() {}, onRefused() {} })
    try {
      const dial = transport.dial({ peerId: undefined, addresses: [address] }, { signal: AbortSignal.timeout(20_000) })
      await expect(dial).rejects.toMatchObject({ by: 'them', refusal: { code: 'bad-signature' } })
      const ours = await first.until('our own word on it', refused('bad-signature'))
      expect(ours).toMatchObject({ peer: key.signer.peerId, source: 'us' })
    } finally {
      await transport.stop()
    }
  })
})

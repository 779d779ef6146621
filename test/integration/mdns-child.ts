/**
 * A process that does nothing but mDNS discovery, ours or libp2p's own. Prints one JSON line per event; stops orderly
 * when its standard input ends.
 *
 *     node mdns-child.ts '{"kind":"ours","seed":1,"tag":"_q-…","port":4001,"interfaces":["eth0"]}'
 */
import { createServer } from 'node:net'
import { networkInterfaces } from 'node:os'
import { generateKeyPairFromSeed } from '@libp2p/crypto/keys'
import { mdns } from '@libp2p/mdns'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { tcp } from '@libp2p/tcp'
import { createLibp2p } from 'libp2p'
import { systemClock } from '../../src/core/clock.ts'
import { systemRandom } from '../../src/core/random.ts'
import { createMdns } from '../../src/discovery/mdns/index.ts'

interface ChildInit {
  readonly kind: 'ours' | 'vanilla'
  readonly seed: number
  readonly tag: string
  readonly port: number
  readonly interfaces?: readonly string[]
}

const init = JSON.parse(process.argv[2]!) as ChildInit
const print = (line: object): void => void process.stdout.write(`${JSON.stringify({ at: Date.now(), ...line })}\n`)
const stdinEnds = new Promise<void>((resolve) => {
  process.stdin.resume()
  process.stdin.once('end', resolve)
  process.stdin.once('error', () => resolve())
})

const seed = new Uint8Array(32)
new DataView(seed.buffer).setUint32(0, init.seed)
const privateKey = await generateKeyPairFromSeed('Ed25519', seed)
const peerId = peerIdFromPrivateKey(privateKey).toString()

if (init.kind === 'vanilla') {
  const node = await createLibp2p({
    privateKey,
    addresses: { listen: [`/ip4/0.0.0.0/tcp/${init.port}`] },
    transports: [tcp()],
    peerDiscovery: [mdns({ serviceTag: init.tag })]
  })
  node.addEventListener('peer:discovery', ({ detail }) => {
    print({ event: 'hint', peerId: detail.id.toString(), addresses: detail.multiaddrs.map(String) })
  })
  await node.start()
  print({ event: 'started', peerId })
  await stdinEnds
  await node.stop()
} else {
  // So that a hint can be tried: whoever connects reads our PeerId.
  const server = createServer((socket) => socket.end(peerId)).listen(init.port, '0.0.0.0')
  const discovery = createMdns({
    peerId,
    addresses: () =>
      Object.values(networkInterfaces())
        .flatMap((infos) => infos ?? [])
        .filter(({ family }) => family === 'IPv4')
        .map(({ address }) => `/ip4/${address}/tcp/${init.port}/p2p/${peerId}`),
    serviceTag: init.tag,
    clock: systemClock,
    random: systemRandom(),
    ...(init.interfaces === undefined ? {} : { interfaces: init.interfaces })
  })
  await discovery.start({
    onHint: (hint) => print({ event: 'hint', ...hint }),
    onAlarm: (alarm) => print({ event: 'alarm', ...alarm })
  })
  print({ event: 'started', peerId })
  await stdinEnds
  await discovery.stop()
  server.close()
}
print({ event: 'stopped' })
process.exit(0)

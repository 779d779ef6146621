/**
 * A libp2p node with defaults that are safe for consensus: TCP, Noise with admission, Yamux, and nothing else.
 *
 * What differs from libp2p's own defaults, and why:
 * - no connection monitor: it aborts links whose ping takes five seconds, which a busy machine needs; heartbeats judge instead;
 * - no reconnect queue, no identify, no ping: the dial planner and our own streams do that work;
 * - inbound limits of 5 connections a second and 10 pending make a dozen nodes behind one address refuse each other: raised, and
 *   bounded by the budget for strangers instead;
 * - a connection attempt has one second, not six;
 * - no timeout of the socket itself: whoever is not admitted has a deadline, and who is silent later is asked (session-table.ts).
 *
 * It brings libp2p along, so `createNode` loads it when a node is made: a program that only prints its help does not pay for it.
 */
import { createPrivateKey, createPublicKey } from 'node:crypto'
import { noise } from '@chainsafe/libp2p-noise'
import { yamux } from '@chainsafe/libp2p-yamux'
import { privateKeyFromRaw } from '@libp2p/crypto/keys'
import type { Ed25519PrivateKey } from '@libp2p/interface'
import { tcp } from '@libp2p/tcp'
import { createLibp2p } from 'libp2p'
import { systemClock } from '../../core/clock.ts'
import { InvalidOptionError } from '../../core/errors.ts'
import { ListenFailedError } from '../errors.ts'
import { defaultTransportLimits, type TransportLimits } from '../port.ts'
import { Libp2pTransport, logTo } from './adapter.ts'
import { admission } from './admission-encrypter.ts'
import { Admissions } from './admissions.ts'
import { Door } from './door.ts'
import { eachMuxer } from './each-muxer.ts'
import { FRAMES_PROTOCOL } from './frames-link.ts'
import { InboundBudget } from './inbound-budget.ts'
import { noiseCrypto } from './noise-crypto.ts'
import { negotiateShortly } from './short-negotiation.ts'
import { shortWayThrough } from './short-way.ts'
import { pingLater, silence, spareRecords } from './thrift.ts'
import type { QuorateLibp2p, QuorateLibp2pInit, TransportComponents } from './types.ts'

const DEFAULT_LISTEN = ['/ip4/0.0.0.0/tcp/0']
/** What negotiation and Noise need on top of admission. */
const HANDSHAKE_MS = 2_000
const HANDSHAKE_BYTES = 64 * 1024
/** What a peer may send of the next layer before we have read its verdict: Yamux's first window, and some. */
const READ_AHEAD_BYTES = 384 * 1024
const STREAMS_MAX = 32

export async function createQuorateLibp2p(init: QuorateLibp2pInit): Promise<QuorateLibp2p> {
  if (init.seed.byteLength !== 32) throw new InvalidOptionError(`seed must be 32 bytes, not ${init.seed.byteLength}`)
  if (init.domainId.byteLength !== 32) {
    throw new InvalidOptionError(`domainId must be 32 bytes, not ${init.domainId.byteLength}`)
  }

  const limits: TransportLimits = { ...defaultTransportLimits, ...init.limits }
  const clock = init.clock ?? systemClock
  const listen = [...(init.listen ?? DEFAULT_LISTEN)]
  const admissions = new Admissions()
  let transport: Libp2pTransport | undefined
  const onError = (error: unknown, doing: string): void => transport?.core.report(error, doing)

  const door = new Door((knocking) => transport?.core.door(knocking))
  const budget = new InboundBudget({
    onLetIn: (connection) => door.came(connection),
    strangersMax: limits.strangersMax,
    strangersPerHostMax: limits.strangersPerHostMax,
    bytesMax: HANDSHAKE_BYTES + limits.admissionBytesMax * 2 + READ_AHEAD_BYTES,
    onTurnedAway: () => {
      if (transport !== undefined) transport.core.counters.strangersTurnedAway += 1
    }
  })

  const encrypter = admission(noise({ prologueBytes: init.domainId.slice(), crypto: noiseCrypto }), {
    gate: init.gate,
    admissions,
    limits,
    clock,
    onAdmitted: (timeline) => budget.release(timeline),
    onRefused: (outcome, peerId, address) => transport!.core.refused(outcome, peerId, address),
    onError
  })

  const libp2p = await createLibp2p({
    start: false,
    privateKey: privateKeyFromRaw(rawKey(init.seed)) as Ed25519PrivateKey,
    // libp2p's log is read by whoever sets DEBUG, and by nobody else.
    ...(process.env['DEBUG'] === undefined ? { logger: silence } : {}),
    nodeInfo: { name: 'quorate', version: '1' },
    addresses: { listen, ...(init.announce === undefined ? {} : { announce: [...init.announce] }) },
    transports: [...(init.transports ?? [tcp({ dialOpts: socket, listenOpts: socket, ...noInactivity })])],
    connectionEncrypters: [encrypter],
    streamMuxers: [
      eachMuxer(
        yamux({
          maxInboundStreams: STREAMS_MAX,
          maxOutboundStreams: STREAMS_MAX,
          streamOptions: { maxWriteBufferLength: limits.sendBufferBytesMax + limits.frameBytesMax }
        }),
        (muxer, connection) => {
          shortWayThrough(muxer, connection)
          pingLater(muxer, connection, clock)
          negotiateShortly(muxer, FRAMES_PROTOCOL, clock)
        }
      )
    ],
    connectionGater: budget,
    connectionMonitor: { enabled: false },
    connectionManager: {
      maxConnections: limits.connectionsMax,
      // The budget decides; these only have to be out of its way.
      maxIncomingPendingConnections: limits.strangersMax * 2,
      inboundConnectionThreshold: Math.max(64, limits.strangersPerHostMax * 4),
      inboundUpgradeTimeout: limits.admissionDeadlineMs + HANDSHAKE_MS,
      dialTimeout: limits.addressDialTimeoutMs,
      addressDialTimeout: limits.addressDialTimeoutMs,
      reconnectRetries: 0
    },
    services: {
      quorate: (components: TransportComponents) => {
        transport = new Libp2pTransport({
          components,
          mode: { type: 'encrypter', admissions, door },
          limits,
          clock,
          onError: init.onError ?? logTo(components),
          host: {
            async start() {
              try {
                await libp2p.start()
              } catch (error) {
                throw new ListenFailedError(listen, error)
              }
            },
            async stop() {
              await libp2p.stop()
            }
          }
        })
        return { [Symbol.toStringTag]: 'quorate-transport' }
      }
    }
  })
  spareRecords(libp2p.peerStore)
  return { libp2p, transport: transport! }
}

/** RFC 8410: version 0, algorithm 1.3.101.112, a 32-byte octet string in an octet string follows. */
const PKCS8_PREFIX = Buffer.from('302e020100300506032b657004220420', 'hex')

/** Seed and public key, as libp2p keeps them. Its own derivation builds tables for ten thousand of them: 30 ms at every start. */
function rawKey(seed: Uint8Array): Uint8Array {
  const key = createPrivateKey({ key: Buffer.concat([PKCS8_PREFIX, seed]), format: 'der', type: 'pkcs8' })
  const spki = createPublicKey(key).export({ format: 'der', type: 'spki' })
  return new Uint8Array([...seed, ...spki.subarray(-32)])
}

/** Two timers put back at every read and write, for what the handshake's deadline and our own look at silent links do. */
const noInactivity = { inboundSocketInactivityTimeout: 0, outboundSocketInactivityTimeout: 0 }

const socket = { noDelay: true, keepAlive: true, keepAliveInitialDelay: 10_000 }

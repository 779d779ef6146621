/** What the two libp2p adapters are given, and what they give. Types only: importing this loads nothing of libp2p. */
import type { ComponentLogger, Libp2pEvents, PeerId, PeerStore } from '@libp2p/interface'
import type { AddressManager, ConnectionManager, Registrar, TransportManager } from '@libp2p/interface-internal'
import type { Libp2p } from 'libp2p'
import type { TypedEventTarget } from 'main-event'
import type { Clock } from '../../core/clock.ts'
import type { AdmissionGate } from '../gate.ts'
import type { MeasuredTransport, TransportLimits } from '../port.ts'

/** The parts of a libp2p node that the adapter uses, by libp2p's own key names. */
export interface TransportComponents {
  readonly peerId: PeerId
  readonly registrar: Registrar
  readonly connectionManager: ConnectionManager
  readonly transportManager: TransportManager
  readonly addressManager: AddressManager
  readonly peerStore: PeerStore
  readonly events: TypedEventTarget<Libp2pEvents>
  readonly logger: ComponentLogger
}

/** A libp2p transport factory, such as `tcp()` or `memory()`. */
// eslint-disable-next-line typescript/no-explicit-any -- each factory asks for its own components
export type TransportFactory = (components: any) => import('@libp2p/interface').Transport

export interface QuorateLibp2pInit {
  /** 32 bytes: the Ed25519 seed of the node's identity. Copied, never kept in the options. */
  readonly seed: Uint8Array
  /** 32 bytes. Bound into the Noise handshake: a node of another domain fails there. */
  readonly domainId: Uint8Array
  readonly gate: AdmissionGate
  /** Multiaddrs. Default `/ip4/0.0.0.0/tcp/0`. Empty: dial only. */
  readonly listen?: readonly string[]
  /** Addresses to give out instead of those found on the interfaces (port forwarding, NAT). */
  readonly announce?: readonly string[]
  /** Default: TCP alone. Tests and examples pass `[memory()]`. */
  readonly transports?: readonly TransportFactory[]
  readonly limits?: Partial<TransportLimits>
  readonly clock?: Clock
  /** Told about anything that went wrong and was survived. Default: libp2p's own debug logger. */
  readonly onError?: (error: unknown, doing: string) => void
}

export interface QuorateLibp2p {
  /** The node behind the transport, for tests and for people who want to look. Started and stopped by the transport. */
  readonly libp2p: Libp2p
  readonly transport: MeasuredTransport
}

/** For a libp2p node that belongs to somebody else: admission runs as a hello on its own stream. */
export interface HelloTransportInit {
  readonly gate: AdmissionGate
  readonly limits?: Partial<TransportLimits>
  readonly clock?: Clock
  readonly onError?: (error: unknown, doing: string) => void
}

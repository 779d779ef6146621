/**
 * Discovery on the local link by multicast DNS, in the record format of libp2p (see `mdns.ts`). A folder of its own because
 * it pulls in libp2p packages: load it only when it is used.
 */
export { createMdns } from './mdns.ts'
export type { Mdns, MdnsInit } from './mdns.ts'
export { serviceTagOf } from './service-tag.ts'
export { createUdpLink } from './udp-link.ts'
export type { LinkEvents, LinkInterface, MulticastLink } from './link.ts'

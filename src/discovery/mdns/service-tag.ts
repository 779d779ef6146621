/** The name under which the nodes of one domain find each other on a link. */
import { invariant } from '../../core/invariant.ts'

/**
 * The DNS-SD service under which the nodes of one domain look for each other: `_q-<8 hex>._udp.local`, from the first four
 * bytes of the domainId. Service names end at 15 characters (RFC 6335), so it cannot be longer; two domains that share a
 * tag (one pair in four billion) only cost each other a refused handshake.
 */
export function serviceTagOf(domainIdHex: string): string {
  invariant(/^[0-9a-f]{8}/i.test(domainIdHex), 'a domainId is at least eight hex digits')
  return `_q-${domainIdHex.slice(0, 8).toLowerCase()}._udp.local`
}

/**
 * Bytes to packets and back, with the caps that stand before everything else: mDNS packets come from anybody on the link.
 */
import * as dns from 'dns-packet'
import type { Answer, DecodedPacket, Packet } from 'dns-packet'

/** RFC 6762, 17: larger ones do not exist. */
const PACKET_BYTES_MAX = 9_000
/** We never send more than fits an Ethernet frame: fragments of multicast get lost, on container bridges above all. */
export const SENT_BYTES_MAX = 1_400
const RECORDS_MAX = 64
const HEADER_BYTES = 12
/** About ten packets; the list is begun at another place each time. */
const QUERY_ANSWERS_MAX = 160

/** Undefined for what cannot be read or is too much: the record counts are judged before the records are decoded. */
export function decodePacket(bytes: Uint8Array): DecodedPacket | undefined {
  if (bytes.byteLength < HEADER_BYTES || bytes.byteLength > PACKET_BYTES_MAX) return undefined
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  let records = 0
  for (const offset of [4, 6, 8, 10]) records += view.getUint16(offset)
  if (records > RECORDS_MAX) return undefined
  try {
    return dns.decode(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength))
  } catch {
    return undefined
  }
}

/**
 * The question under our tag, with what we know already; a list that does not fit goes on in further packets without a
 * question, each but the last marked as truncated (RFC 6762, 7.2). `self` opens every packet.
 */
export function encodeQuery(serviceTag: string, self: Answer, known: readonly Answer[]): Uint8Array[] {
  const packets: Uint8Array[] = []
  let rest = known.slice(0, QUERY_ANSWERS_MAX)
  do {
    const questions: Packet['questions'] = packets.length === 0 ? [{ type: 'PTR', name: serviceTag, class: 'IN' }] : []
    const here = rest.slice(0, RECORDS_MAX - 2)
    const packet = (): Packet => ({
      type: 'query',
      flags: here.length < rest.length ? dns.TRUNCATED_RESPONSE : 0,
      questions,
      answers: [self, ...here]
    })
    while (dns.encodingLength(packet()) > SENT_BYTES_MAX && here.length > 1) here.pop()
    packets.push(dns.encode(packet()))
    rest = rest.slice(here.length)
  } while (rest.length > 0)
  return packets
}

/** Leaves out the last records until the packet fits. */
export function encodeResponse(answers: readonly Answer[]): Uint8Array {
  for (let count = answers.length; ; count--) {
    const fitting = answers.slice(0, count)
    const bytes = dns.encode({ type: 'response', flags: dns.AUTHORITATIVE_ANSWER, answers: fitting })
    if (bytes.byteLength <= SENT_BYTES_MAX || count === 0) return bytes
  }
}

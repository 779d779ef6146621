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

export function encodeQuery(serviceTag: string, knownAnswers: readonly Answer[]): Uint8Array {
  return encodeFitting(knownAnswers, (answers) => ({
    type: 'query',
    questions: [{ type: 'PTR', name: serviceTag, class: 'IN' }],
    answers
  }))
}

export function encodeResponse(answers: readonly Answer[]): Uint8Array {
  return encodeFitting(answers, (fitting) => ({ type: 'response', flags: dns.AUTHORITATIVE_ANSWER, answers: fitting }))
}

/** Leaves out the last records until the packet fits. */
function encodeFitting(answers: readonly Answer[], packet: (answers: Answer[]) => Packet): Uint8Array {
  for (let count = answers.length; ; count--) {
    const bytes = dns.encode(packet(answers.slice(0, count)))
    if (bytes.byteLength <= SENT_BYTES_MAX || count === 0) return bytes
  }
}

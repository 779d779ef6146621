/**
 * Asks a leader to hand over. By its control socket, on a connection that is open already: what a client needs to start, to connect
 * and to write a request is no part of a hand-over; what the node needs to accept, to read and to answer it is. Or by a line to a program that embeds it, which notes itself when it calls.
 */
import { once } from 'node:events'
import { connect } from 'node:net'
import { findSocket } from '../../src/admin/control-path.ts'
import { CALL, type Called, CALLED_MARK } from './embedded-mark.ts'
import { type Life, wallNow } from './yard.ts'

const BODY = '{}'
const REQUEST = [
  'POST /v1/transfer HTTP/1.1',
  'host: localhost',
  'content-type: application/json',
  `content-length: ${BODY.length}`,
  'connection: close',
  '',
  BODY
].join('\r\n')

export interface Strike {
  /** When it was asked for, epoch ms. */
  readonly at: number
  /** A hand-over that nobody took in time. */
  readonly refused: boolean
}

export interface HandOverRequest {
  send(): void
  /** Rejects when the node did not understand the request. */
  answer(): Promise<Strike>
}

/** `at` is the moment just before the request was handed to the kernel. */
export async function handOverRequest({ dataDir }: Life): Promise<HandOverRequest> {
  const socket = connect(await findSocket(dataDir))
  await once(socket, 'connect')
  let text = ''
  socket.setEncoding('utf8').on('data', (more: string) => (text += more))
  const closed = once(socket, 'close')
  let at = NaN
  return {
    send() {
      at = wallNow()
      socket.write(REQUEST)
    },
    async answer() {
      await closed
      if (text.includes('ERR_CONTROL_REQUEST')) throw new Error(`a hand-over was asked for wrongly: ${text}`)
      return { at, refused: !text.startsWith('HTTP/1.1 200 ') }
    }
  }
}

/** `at` is the moment just before the call, in the leader's process. */
export function handOverCall(leader: Life): HandOverRequest {
  const from = leader.stderr.length
  return {
    send: () => leader.tell(CALL),
    async answer() {
      const { at, error } = JSON.parse(await leader.untilStderr(CALLED_MARK, from)) as Called
      return { at, refused: error !== null }
    }
  }
}

/**
 * Asks a leader to hand over, by its control socket, on a connection that is open already: what a client needs to start, to connect
 * and to write a request is no part of a hand-over.
 */
import { once } from 'node:events'
import { connect } from 'node:net'
import { findSocket } from '../../src/admin/control-path.ts'
import { wallNow } from './yard.ts'

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

export interface HandOverRequest {
  /** The moment just before the request was handed to the kernel, epoch ms. */
  send(): number
  /** True when nobody took over in time. Throws when the node did not understand the request. */
  refused(): Promise<boolean>
}

export async function handOverRequest(dataDir: string): Promise<HandOverRequest> {
  const socket = connect(await findSocket(dataDir))
  await once(socket, 'connect')
  let answer = ''
  socket.setEncoding('utf8').on('data', (text: string) => (answer += text))
  const closed = once(socket, 'close')
  return {
    send() {
      const at = wallNow()
      socket.write(REQUEST)
      return at
    },
    async refused() {
      await closed
      if (answer.includes('ERR_CONTROL_REQUEST')) throw new Error(`a hand-over was asked for wrongly: ${answer}`)
      return !answer.startsWith('HTTP/1.1 200 ')
    }
  }
}

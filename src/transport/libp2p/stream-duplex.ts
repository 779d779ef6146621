/** A libp2p message stream as the bytes of an exchange. */
import type { MessageStream, StreamCloseEvent, StreamMessageEvent } from '@libp2p/interface'
import type { ByteDuplex } from '../run-exchange.ts'

export class StreamDuplex implements ByteDuplex {
  readonly #stream: MessageStream
  #stopReading: () => void = () => {}

  constructor(stream: MessageStream) {
    this.#stream = stream
  }

  write(bytes: Uint8Array): void {
    // What it returns does not matter: an exchange is far smaller than any buffer, and has a deadline.
    this.#stream.send(bytes)
  }

  read(onChunk: (chunk: Uint8Array) => void, onEnd: (error: Error | undefined) => void): void {
    const stream = this.#stream
    // The receiver catches everything: a throw in a listener would end the process.
    const onMessage = ({ data }: StreamMessageEvent): void => onChunk(data.subarray())
    const onClose = ({ error }: StreamCloseEvent): void => onEnd(error)
    const onRemoteCloseWrite = (): void => onEnd(undefined)
    stream.addEventListener('message', onMessage)
    stream.addEventListener('close', onClose)
    stream.addEventListener('remoteCloseWrite', onRemoteCloseWrite)
    this.#stopReading = () => {
      stream.removeEventListener('message', onMessage)
      stream.removeEventListener('close', onClose)
      stream.removeEventListener('remoteCloseWrite', onRemoteCloseWrite)
    }
    if (stream.status !== 'open') onEnd(undefined)
  }

  release(rest: Uint8Array): void {
    this.#stopReading()
    if (rest.byteLength > 0 && this.#stream.status === 'open') this.#stream.unshift(rest)
  }
}

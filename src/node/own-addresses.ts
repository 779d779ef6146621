/** Where this node can be reached, as a record that it has signed and that peers pass on. */
import { addressSequence, makeAddressRecord } from '../identity/address-record.ts'
import type { Home } from './home.ts'

const ADDRESSES_TOLD_MAX = 8

export class OwnAddresses {
  readonly #home: Pick<Home, 'key' | 'boot'>
  #changes = 0
  #record: Uint8Array | undefined

  constructor(home: Pick<Home, 'key' | 'boot'>) {
    this.#home = home
  }

  /** Undefined until the node listens. */
  get record(): Uint8Array | undefined {
    return this.#record
  }

  async sign(addresses: readonly string[]): Promise<void> {
    const { key, boot } = this.#home
    const plain = addresses.map((address) => address.replace(/\/p2p\/[^/]+$/, '')).slice(0, ADDRESSES_TOLD_MAX)
    this.#record = await makeAddressRecord(key.signer, plain, addressSequence(boot, this.#changes++))
  }
}

/**
 * Documents that were read and proved in this process, by their bytes. A node shows its claim in every hello, a certificate comes
 * back with every session, a statement is handed on by several: a verdict on the same bytes is the same verdict, so it is asked
 * for once, and whoever comes again costs a look into a table instead of decoding and arithmetic.
 *
 * Only what holds is kept: a stranger's documents would push out what honest peers need.
 */
import { RecentMap } from '../core/recent-map.ts'

export class Proven<Document extends object> {
  readonly #documents: RecentMap<Document>

  constructor(documentsMax: number) {
    this.#documents = new RecentMap(documentsMax)
  }

  get(bytes: Uint8Array): Document | undefined {
    return this.#documents.get(bytes)
  }

  /** Answers the document. The bytes must not change any more. */
  keep(bytes: Uint8Array, document: Document): Document {
    this.#documents.set(bytes, document)
    return document
  }
}

/**
 * The key of a data directory: made at the first start, and never a second time. A log without its key belongs to a node
 * that a new key would not be, so that nothing is made beside it.
 */
import { join, resolve } from 'node:path'
import { fileKeyStore, NODE_KEY_FILE } from '../identity/key-store.ts'
import { generateLocalKey, type LocalKey } from '../identity/signer.ts'
import { dataFiles } from '../storage/data-dir.ts'
import { errnoOf } from '../storage/errors.ts'
import { nodeFileSystem } from '../storage/file-system.ts'
import { makeDirectory } from '../storage/make-directory.ts'
import { logOwner } from '../storage/wal/load.ts'
import { NodeKeyMissingError } from './errors.ts'

/** Makes the directory when it is missing. Throws NodeKeyMissingError, and writes nothing, where a log has lost its key. */
export async function loadOrCreateNodeKey(dataDir: string): Promise<LocalKey & { readonly created: boolean }> {
  const directory = resolve(dataDir)
  const path = join(directory, NODE_KEY_FILE)
  const store = fileKeyStore({ path, type: 'node' })
  const present = await store.load()
  if (present !== undefined) return { ...present, created: false }
  const owner = await ownerOf(join(directory, dataFiles.wal))
  if (owner !== undefined) throw new NodeKeyMissingError(path, owner)
  await makeDirectory(directory)
  const key = generateLocalKey()
  await store.create(key)
  return { ...key, created: true }
}

/** Of the node that wrote the log; undefined when there is none yet. */
async function ownerOf(log: string): Promise<string | undefined> {
  try {
    return await logOwner(log, nodeFileSystem)
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined
    throw error
  }
}

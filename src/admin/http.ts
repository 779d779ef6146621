/**
 * node:http, without what an import of it costs.
 *
 * An ES import reads every export of a built-in module, and three of this one's are getters (`WebSocket` and its events) that
 * load all of undici: 40 ms of processor time and 14 MiB of memory at every start, on Node 22 to 26. Asked for by name, they
 * stay asleep.
 */
export const http = process.getBuiltinModule('node:http')

/** Request header: how many ms the node may take to get a change, transfer or leave decided. */
export const TIMEOUT_HEADER = 'quorate-timeout-ms'

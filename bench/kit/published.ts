/**
 * Published election latencies, to draw ours over: quantiles of the curves of figure 16 of "In Search of an Understandable
 * Consensus Algorithm" (Ongaro and Ousterhout, 2014; also in Ongaro's dissertation), read from the vector graphics in
 * github.com/ongardie/dissertation, CC BY 4.0. Five servers, a leader that crashes, about 15 ms for a broadcast, a heartbeat
 * every half of the least timeout; ms from the crash until the other servers had heard from the new leader.
 */
export const PUBLISHED_SHARES = [0.01, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99] as const

/** By the range of the election timeout, ms. */
export const PUBLISHED: Readonly<Record<string, readonly number[]>> = {
  '150-150': [
    13818, 17400.6, 19969, 27169.4, 31993.1, 36457.1, 41104, 50090.4, 57178.6, 66361.8, 84933.7, 121426, 527966.7
  ],
  '12-24': [16.7, 18.5, 19.7, 22.9, 25.8, 27.9, 30, 32.8, 39.1, 44.6, 53, 66.8, 86.9],
  '25-50': [25.3, 28.9, 30.6, 33.8, 36.8, 39.7, 43, 46.3, 50.4, 55.2, 73.7, 83.1, 118.9],
  '50-100': [39.1, 44.1, 47.5, 54, 58.5, 62.1, 66.7, 70.9, 76.6, 83.9, 95.8, 119.8, 168.8],
  '100-200': [68.9, 77.7, 85.1, 95.5, 104.7, 110.9, 120.1, 128.9, 139.7, 152.3, 165.5, 182.5, 277.1],
  '150-300': [103.2, 114.8, 124.7, 138.2, 148.5, 159.7, 171.3, 184.8, 199.6, 216.8, 244.3, 265.2, 414.6],
  '150-200': [94.1, 104.3, 110.5, 119.7, 129.1, 138.1, 146.5, 153.9, 162.2, 172.4, 193.5, 296.2, 352],
  '150-175': [89.5, 101.9, 106.8, 116, 124.4, 133.1, 141.1, 150.2, 159.7, 172.6, 291.2, 313.5, 466.8],
  '150-155': [93.1, 106.4, 119.2, 143.1, 243.8, 266.9, 287.3, 308.1, 419.5, 453, 609.4, 763.7, 1242.2],
  '150-151': [113.9, 287.1, 434.4, 689.2, 849.1, 1020.6, 1198.6, 1475.2, 1779, 2237.8, 3132.3, 4006.9, 6012.6]
}

/**
 * The same quantiles of the dissertation's simulated wide-area network: five servers, all others up, 30 to 40 ms one way,
 * timeouts of 300 to 600 ms; ms until a leader is elected.
 */
export const PUBLISHED_WAN: readonly number[] = [
  368.1, 372, 375.4, 382.6, 390.6, 399.4, 409.5, 421.6, 436.3, 457.2, 489.2, 525.5, 833.2
]

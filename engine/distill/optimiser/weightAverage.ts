/** What the average of an update (1-based) takes of the weights: 1 − d. */
export const averageShare = (decay: number, update: number): number => 1 - Math.min(decay, (1 + update) / (10 + update))

/**
 * Moves an exponential average of the weights one update on: average += (1 − d) · (weights − average). d grows to `decay` as
 * (1 + update) / (10 + update), so that the average forgets where training began. `update` is 1-based.
 */
export const followWeights = (average: Float32Array, weights: Float32Array, decay: number, update: number): void => {
  const share = averageShare(decay, update)
  for (let i = 0; i < average.length; i++) average[i]! += share * (weights[i]! - average[i]!)
}

import { CounterRandom } from '../random.ts'

const digits = ['ZERO', 'ONE', 'TWO', 'THREE', 'FOUR', 'FIVE', 'SIX', 'SEVEN', 'EIGHT', 'NINE']

/** Strings of three to eight digits in words; the n-th depends on (seed, split, n) alone. */
export const digitStrings = (count: number, seed: number, split: string): string[] =>
  Array.from({ length: count }, (_, n) => {
    const random = new CounterRandom(seed, 'digits', split, n)
    return Array.from({ length: 3 + Math.floor(6 * random.nextFloat()) }, () => digits[Math.floor(10 * random.nextFloat())]!).join(' ')
  })

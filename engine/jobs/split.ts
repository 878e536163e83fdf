import { join, relative } from 'node:path'
import { writeFolderAtomic, writeNewFile } from '../checkpoint/index.ts'
import { readCorpus, type Utterance } from '../datasets/index.ts'
import { UsageError } from '../errors.ts'
import { CounterRandom } from '../random.ts'

export interface SplitSettings {
  readonly data: string
  /** New folder for train.jsonl, dev.jsonl and, with a share for it, test.jsonl. */
  readonly out: string
  /** Shares of the speech, as fractions; the rest is for training. */
  readonly dev: number
  readonly test: number
  /** What is kept together: all that a speaker says, or nothing. */
  readonly by: 'speaker' | 'utterance'
  readonly seed: number
  /** Recordings under this folder are named relative to `out`, others by their full path: what moves along with the split is found again. */
  readonly home: string
}

export type Part = 'train' | 'dev' | 'test'

/** Divides utterances into parts of about these shares of the speech, at random by the seed. UsageError when there is too little to divide. */
export const divide = (utterances: readonly Utterance[], { dev, test, by, seed }: Pick<SplitSettings, 'dev' | 'test' | 'by' | 'seed'>): Map<Part, Utterance[]> => {
  const wanted = ([['dev', dev], ['test', test]] as const).filter(([, share]) => share > 0)
  const groups = new Map<string, Utterance[]>()
  for (const [i, utterance] of utterances.entries()) {
    if (by === 'speaker' && utterance.speaker === undefined) throw new UsageError(`expected a speaker of every utterance to keep speakers apart, found none at ${utterance.where}; divide by utterance instead`)
    const key = by === 'speaker' ? utterance.speaker! : String(i)
    groups.set(key, [...(groups.get(key) ?? []), utterance])
  }
  if (groups.size <= wanted.length) throw new UsageError(`expected more than ${wanted.length} ${by}s for ${wanted.length + 1} parts, found ${groups.size}`)
  const order = shuffled([...groups.values()], seed)
  const secondsOf = (of: readonly Utterance[]): number => of.reduce((total, { duration }) => total + duration, 0)
  const all = secondsOf(utterances)
  const parts = new Map<Part, Utterance[]>([['train', []]])
  let next = 0
  wanted.forEach(([part, share], i) => {
    const own: Utterance[] = []
    // Every part gets a group, and leaves one for each part behind it and one for training.
    const last = order.length - (wanted.length - i)
    while (next < last) {
      const seconds = secondsOf(order[next]!)
      // A group that would overshoot by more than it is short of stays for training.
      if (own.length > 0 && secondsOf(own) + seconds / 2 > share * all) break
      own.push(...order[next++]!)
    }
    parts.set(part, own)
  })
  parts.set('train', order.slice(next).flat())
  return parts
}

const shuffled = <T>(items: readonly T[], seed: number): T[] => {
  const random = new CounterRandom(seed, 'split')
  const order = [...items]
  for (let i = order.length - 1; i > 0; i--) {
    const j = Math.floor(random.nextFloat() * (i + 1))
    ;[order[i], order[j]] = [order[j]!, order[i]!]
  }
  return order
}

/** Writes the parts of a corpus as manifests; recordings stay where they are. The parts that there are. */
export const split = async (settings: SplitSettings): Promise<Part[]> => {
  const { data, out, home } = settings
  const parts = divide(await readCorpus(data), settings)
  const nameOf = (audio: string): string => (relative(home, audio).startsWith('..') ? audio : relative(out, audio))
  const lineOf = ({ audioPath, duration, offset, text, speaker, fields }: Utterance): string =>
    JSON.stringify({ ...fields, audio_filepath: nameOf(audioPath), duration, ...(offset === undefined ? {} : { offset }), ...(text === undefined ? {} : { text }), ...(speaker === undefined ? {} : { speaker }) })
  await writeFolderAtomic(out, async (temporary) => {
    for (const [part, utterances] of parts) await writeNewFile(join(temporary, `${part}.jsonl`), utterances.map((utterance) => `${lineOf(utterance)}\n`).join(''))
  })
  return [...parts.keys()]
}
